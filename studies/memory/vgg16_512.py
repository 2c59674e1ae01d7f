"""Peak memory of training VGG-16's FCN-8s on 512 x 512 crops, by batch size, on the CPU.

    python -m studies.memory.vgg16_512 1 2 4 8 16

Each batch size is two training steps with AdamW in a process of its own; its peak is what the
system counted (Linux only). Through the peaks of the batches from FROM on goes a line: up to there,
building the network leaves more free memory behind than a batch takes.
"""

import sys

import numpy as np

from studies.common import fresh, noise, peak, write

FROM = 4


def measure(batch, side=512):
    """Two training steps on noise; returns the peaks in bytes."""
    import fcn_tutorial as fcn
    from fcn_tutorial.training import compiled_model

    changes = {"crop_size": side, "batch_size": batch, "weights": "none", "optimizer": "adamw"}
    recipe = fcn.Recipe.load("voc_vgg16_fcn8s_at_once", **changes)
    network = compiled_model(recipe, 21, steps_per_epoch=10)
    built = peak()
    images, labels = noise(batch, side)
    for _ in range(2):
        network.train_on_batch(images, labels)
    return {"peak_bytes": peak(), "peak_bytes_before_training": built}


def line(batches):
    """Base and bytes an image, fitted to the peaks."""
    kept = {int(batch): row["peak_bytes"] for batch, row in batches.items() if int(batch) >= FROM}
    if len(kept) < 2:
        return {}
    image, base = np.polyfit(list(kept), list(kept.values()), 1)
    return {"base_bytes": round(base), "bytes_an_image": round(image)}


def main(sizes):
    batches = {}
    for batch in sizes:
        batches[batch] = fresh(measure, int(batch))
        print(batch, batches[batch], flush=True)
    write(__file__, {"batches": batches, "line": line(batches)})


if __name__ == "__main__":
    main(sys.argv[1:])
