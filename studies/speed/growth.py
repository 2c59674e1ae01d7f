"""How cost grows with the batch and with the image: FCN-8s with 21 classes, over two backbones.

    python -m studies.speed.growth

Two ways from a batch of one image of 128 x 128 up to 64 times as many pixels: more images, or
larger ones. At each point, images a second and peak memory of labelling (the forward pass) and of
a training step (AdamW). Each is measured in a process of its own: what the machine takes at most,
and how much of that came after the network was built. A point at which the process is killed for
want of memory is left out, and says so. Linux only.
"""

from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import product

import numpy as np

from studies.common import fresh, in_turn, noise, peak, write

BACKBONES, WORK = ("vgg_narrow", "mobilenet"), ("forward", "step")
POINTS = tuple((batch, 128) for batch in (1, 4, 16, 64)) + tuple((1, n) for n in (256, 512, 1024))


def measure(backbone, work, batch, side, rounds=5):
    """One point, on noise: speed and peak memory."""
    import fcn_tutorial as fcn
    from fcn_tutorial.training import compiled_model

    changes = {"backbone": backbone, "weights": "none", "optimizer": "adamw"}
    changes |= {"crop_size": side, "batch_size": batch}
    recipe = fcn.Recipe.load("voc_vgg16_fcn8s_at_once", **changes)
    network = compiled_model(recipe, 21, steps_per_epoch=100)
    before = peak()
    images, labels = noise(batch, side)
    call = {
        "forward": partial(network.predict_on_batch, images),
        "step": partial(network.train_on_batch, images, labels),
    }[work]
    seconds = float(np.median(in_turn({work: call}, rounds, warm_up=2)[work]))
    return {
        "calls": rounds,
        "images_a_second": batch / seconds,
        "megapixels_a_second": batch * side**2 / 1e6 / seconds,
        "peak_bytes": peak(),
        "peak_bytes_after_building": before,
        "more_bytes": peak() - before,
    }


def main():
    rows = []
    for backbone, work, (batch, side) in product(BACKBONES, WORK, POINTS):
        row = {"backbone": backbone, "work": work, "batch": batch, "side": side}
        try:
            row |= fresh(measure, backbone, work, batch, side)
        except BrokenProcessPool:
            row["left_out"] = "the process was killed"
        rows.append(row)
        print(*row.values(), flush=True)
    write(__file__, {"rows": rows})


if __name__ == "__main__":
    main()
