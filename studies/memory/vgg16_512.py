"""Peak memory of training VGG-16's FCN-8s on 512 x 512 crops, by batch size, on the CPU.

    python benchmarks/memory.py 1 2 4 8 16

Each batch size is two training steps with AdamW in a process of its own; its peak is what the
system counted. Beside it stands what `fcn_tutorial.training.memory_needed` says, by which a run
that cannot fit is refused. Through the peaks of the batches from FROM on goes a line: up to there,
building the network leaves more free memory behind than a batch takes.
Writes results/memory/vgg16_512.json; batch sizes that stand there already are kept.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

RESULT = Path(__file__).with_suffix(".json")
FROM = 4


def peak():
    """The most bytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(batch):
    """Two training steps on noise; returns peaks and estimates in bytes."""
    import numpy as np

    import fcn_tutorial as fcn
    from fcn_tutorial.training import OUTPUTS_AT_WORK, compiled_model, memory_needed

    changes = {"crop_size": 512, "batch_size": batch, "weights": "none", "optimizer": "adamw"}
    recipe = fcn.Recipe.load("voc_fcn8s_at_once", **changes)
    net = compiled_model(recipe, 21, steps_per_epoch=10)
    built, side = peak(), recipe.crop_size
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 3), dtype="uint8")
    labels = rng.integers(0, 21, (batch, side, side), dtype="uint8")
    for _ in range(2):
        net.train_on_batch(images, labels)
    weights, image = memory_needed(net, recipe)
    return {
        "peak_bytes": peak(),
        "peak_bytes_before_training": built,
        "estimated_bytes": weights + batch * image,
        "weights_bytes": weights // 4,
        "outputs_bytes_an_image": image // OUTPUTS_AT_WORK,
    }


def line(batches):
    """Base and bytes an image, fitted to the peaks; an image also as a multiple of its outputs."""
    import numpy as np

    kept = {int(batch): row for batch, row in batches.items() if int(batch) >= FROM}
    if len(kept) < 2:
        return {}
    image, base = np.polyfit(list(kept), [row["peak_bytes"] for row in kept.values()], 1)
    outputs = next(iter(kept.values()))["outputs_bytes_an_image"]
    return {
        "base_bytes": round(base),
        "bytes_an_image": round(image),
        "image_in_outputs": round(image / outputs, 2),
    }


def main(batches):
    RESULT.parent.mkdir(exist_ok=True)
    found = json.loads(RESULT.read_text())["batches"] if RESULT.is_file() else {}
    for batch in batches:
        if batch in found:
            continue
        child = [sys.executable, __file__, "--measure", batch]
        answer = subprocess.run(child, check=True, capture_output=True, text=True).stdout
        found[batch] = json.loads(answer.splitlines()[-1])
        print(batch, found[batch], flush=True)
        RESULT.write_text(json.dumps({"batches": found, "line": line(found)}, indent=1) + "\n")
    print(f"Wrote {RESULT}.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        main(sys.argv[1:] or ["1", "2", "4", "8", "16"])
