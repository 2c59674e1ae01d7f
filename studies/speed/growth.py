"""How cost grows with the batch and with the image: FCN-8s with 21 classes, over two backbones.

    python benchmarks/growth.py

Two ways from a batch of one image of 128 x 128 up to 64 times as many pixels: more images, or
larger ones. At each point, images a second and peak memory of labelling (the forward pass) and of
a training step (AdamW). Each is measured in a process of its own: what the machine takes at most,
and how much of that came after the network was built. A point that would need more memory than the
machine has is left out, and says so. Linux only. Writes results/speed/growth.json.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

RESULT = Path(__file__).with_suffix(".json")
BACKBONES, WORK = ("vgg_narrow", "mobilenet"), ("forward", "step")
POINTS = tuple((batch, 128) for batch in (1, 4, 16, 64)) + tuple((1, n) for n in (256, 512, 1024))
SECONDS = 1  # for which a point is measured, and at least three times
COLUMNS = "{:12}{:9}{:>7}{:>7}{:>12}{:>12}{:>12}"


def peak():
    """The most bytes that this process has held (the system's own count starts at its parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def measure(backbone, work, batch, side):
    """One point, on noise: speed and peak memory, or why it is left out."""
    import numpy as np

    import fcn_tutorial as fcn
    from fcn_tutorial.training import compiled_model, machine_memory, memory_needed

    changes = {"backbone": backbone, "weights": "none", "optimizer": "adamw"}
    changes |= {"crop_size": side, "batch_size": batch}
    recipe = fcn.Recipe.load("voc_fcn8s_at_once", **changes)
    network = compiled_model(recipe, 21, steps_per_epoch=100)
    row = {"backbone": backbone, "work": work, "batch": batch, "side": side}
    weights, image = memory_needed(network, recipe)
    if weights + batch * image > machine_memory():
        return {**row, "left_out": f"needs about {(weights + batch * image) / 1e9:.0f} GB"}
    before = peak()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 3), dtype="uint8")
    labels = rng.integers(0, 21, (batch, side, side), dtype="uint8")
    call = {
        "forward": lambda: network.predict_on_batch(images),
        "step": lambda: network.train_on_batch(images, labels),
    }[work]
    times = seconds_of(call)
    return {
        **row,
        "calls": len(times),
        "images_a_second": batch / float(np.median(times)),
        "megapixels_a_second": batch * side**2 / 1e6 / float(np.median(times)),
        "peak_bytes": peak(),
        "peak_bytes_after_building": before,
        "more_bytes": peak() - before,
    }


def seconds_of(call):
    """Seconds of each call, for SECONDS and at least three; the first two do not count."""
    times = []
    while len(times) < 5 or sum(times[2:]) < SECONDS:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times[2:]


def in_process(*point):
    """`measure`, in a process of its own."""
    child = [sys.executable, __file__, "--measure", *map(str, point)]
    answer = subprocess.run(child, check=True, capture_output=True, text=True).stdout
    return json.loads(answer.splitlines()[-1])


def line(row):
    """One line of the table."""
    told = [row["backbone"], row["work"], row["batch"], row["side"]]
    if "left_out" in row:
        return COLUMNS.format(*told, "", "", "") + row["left_out"]
    speeds = (f"{row['images_a_second']:.2f}", f"{row['megapixels_a_second']:.2f}")
    return COLUMNS.format(*told, *speeds, f"{row['more_bytes'] / 1e6:.0f} MB")


def main():
    print(COLUMNS.format("backbone", "work", "batch", "side", "images/s", "Mpixels/s", "memory"))
    rows = []
    for backbone in BACKBONES:
        for work in WORK:
            for batch, side in POINTS:
                rows.append(in_process(backbone, work, batch, side))
                print(line(rows[-1]), flush=True)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine()}
    machine["memory_bytes"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    print(f"Wrote {RESULT}.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(*sys.argv[2:4], *map(int, sys.argv[4:]))))
    else:
        main()
