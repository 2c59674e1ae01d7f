"""Peak memory and time of labelling a photo of 24 megapixels through the command line.

    python -m studies.memory.photo RUN

RUN is a run folder, such as runs/camvid_enlarged. The photo is noise and stripes, 6000 x 4000.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from studies.common import write

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
    print(f"Peak memory {peak / 1e9:.2f} GB in {seconds:.0f} s.")
    pixels = WIDTH * HEIGHT
    content = {"run": Path(run).name, "pixels": pixels, "peak_bytes": peak, "seconds": seconds}
    write(__file__, content)


if __name__ == "__main__":
    main(sys.argv[1])
