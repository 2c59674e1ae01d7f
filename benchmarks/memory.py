"""Peak memory of training VGG-16 FCN-8s on 512 x 512 crops, by batch size, on the CPU.

    python benchmarks/memory.py 1 4 16

Each batch size is two training steps in a process of its own; its peak is what the system counted.
Beside it stands what `fcn_tutorial.training.memory_needed` says, by which a run that cannot fit is
refused. Writes results/memory/vgg16_512.json; batch sizes that stand there already are kept.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

RESULT = Path(__file__).resolve().parents[1] / "results" / "memory" / "vgg16_512.json"


def measure(batch):
    """Two training steps on noise; returns peak and estimate in bytes, and seconds a step."""
    import numpy as np

    import fcn_tutorial as fcn
    from fcn_tutorial.training import compiled_model, memory_needed

    recipe = fcn.Recipe.load("voc_fcn8s_at_once", crop_size=512, weights="none", batch_size=batch)
    recipe = fcn.Recipe.from_dict({**vars(recipe), "optimizer": "adamw"})
    net = compiled_model(recipe, 21, 10)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, 512, 512, 3), dtype="uint8")
    labels = rng.integers(0, 21, (batch, 512, 512), dtype="uint8")
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        net.train_on_batch(images, labels)
        seconds.append(time.perf_counter() - started)
    weights, image = memory_needed(net, recipe)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "peak_bytes": peak,
        "estimated_bytes": weights + batch * image,
        "seconds_a_step": round(seconds[-1], 1),
    }


def main(batches):
    RESULT.parent.mkdir(exist_ok=True)
    found = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for batch in batches:
        if batch in found:
            continue
        child = [sys.executable, __file__, "--measure", batch]
        answer = subprocess.run(child, check=True, capture_output=True, text=True).stdout
        found[batch] = json.loads(answer.splitlines()[-1])
        print(batch, found[batch], flush=True)
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Wrote {RESULT}.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        main(sys.argv[1:] or ["1", "4", "16"])
