"""Peak memory and time of labelling a photo of 24 megapixels through the command line.

    python benchmarks/photo.py RUN

RUN is a run folder, such as runs/camvid_enlarged. The photo is noise and stripes, 6000 x 4000.
Writes results/memory/photo.json.
"""

import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

RESULT = Path(__file__).with_suffix(".json")
WIDTH, HEIGHT = 6000, 4000


def photo(path):
    rng = np.random.default_rng(0)
    stripes = 100 + 80 * np.sin(np.arange(WIDTH) / 300)[None, :, None]
    pixels = stripes + rng.integers(0, 40, (HEIGHT, WIDTH, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(path, quality=90)


def main(run):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        photo(path)
        command = [Path(sys.executable).with_name("fcn-tutorial"), "segment", run, path]
        started = time.perf_counter()
        subprocess.run([*command, "--output", folder], check=True)
        seconds = time.perf_counter() - started
        with Image.open(Path(folder) / "photo-label.png") as label:
            assert label.size == (WIDTH, HEIGHT)
    # Of the command alone: it is the only child. Linux counts in kibibytes.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    content = {
        "machine": platform.machine(),
        "run": Path(run).name,
        "pixels": WIDTH * HEIGHT,
        "peak_bytes": peak,
        "seconds": seconds,
    }
    RESULT.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Peak memory {peak / 1e9:.2f} GB in {seconds:.0f} s. Wrote {RESULT}.")


if __name__ == "__main__":
    main(sys.argv[1])
