"""A training step of FCN-8s beside that of the construction in kevinddchen/Keras-FCN.

    python benchmarks/step.py

The baseline is that repository's network as its source builds it, written anew: each upsampling is
a full transposed convolution that mixes all 21 classes and learns, with L2; every convolution has
L2; the last layer is a softmax, and the loss takes the logarithm of a probability; Adam; void
counts as background; its own mean IoU, by argmax. This library's side is what `fcn-tutorial train`
compiles for the recipe keras_fcn_fcn8s_at_once: `ours` as it is, in 32 bits as the baseline, and
`mixed` with mixed_precision, whose layers compute in 16. All start from random weights.

The networks make steps in turn in one process, on the same batch that lies in memory, so that
whatever else the machine does meets all alike. Writes results/speed/step.json.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import keras
import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial.training import compiled_model
from fcn_tutorial.upsampling import bilinear_kernel

RESULT = Path(__file__).with_suffix(".json")
NUM_CLASSES = 21
L2 = 1e-6
# Of each trunk: channels and convolutions of its blocks, channels of fc6, side of fc6's kernel.
TRUNKS = {
    "vgg16": ((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), 4096, 7),
    "vgg_narrow": ((8, 16, 32, 64, 128), (2, 2, 2, 2, 2), 128, 3),
}


def baseline(backbone):
    """The other construction over the same trunk, compiled as its training notebook does."""
    widths, depths, units, kernel = TRUNKS[backbone]
    image = x = keras.Input((None, None, 3))
    means = [-103.939, -116.779, -123.68]
    x = keras.layers.Lambda(lambda rgb: rgb[..., ::-1] + keras.ops.array(means))(x)
    pools = []
    for width, depth in zip(widths, depths, strict=True):
        for _ in range(depth):
            x = convolution(width, 3)(x)
            if backbone == "vgg_narrow":
                x = keras.layers.BatchNormalization()(x)
            x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D(2)(x)
        pools.append(x)
    for size in (kernel, 1):
        x = keras.layers.Dropout(0.2)(convolution(units, size, "relu")(x))
    x = convolution(NUM_CLASSES, 1)(x)
    for pool in (pools[3], pools[2]):
        skip = convolution(NUM_CLASSES, 1)(pool)
        x = keras.layers.Add()([transposed(2)(x), skip])
    model = keras.Model(image, transposed(8, "softmax")(x))
    model.compile(
        keras.optimizers.Adam(1e-4),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.MeanIoU(NUM_CLASSES, sparse_y_pred=False)],
        jit_compile=False,
    )
    return model


def convolution(filters, size, activation=None):
    penalty = keras.regularizers.L2(L2)
    return keras.layers.Conv2D(
        filters, size, padding="same", activation=activation, kernel_regularizer=penalty
    )


def transposed(factor, activation=None):
    """Upsampling in which each class is interpolated from all classes, with as many weights."""

    def every_pair(shape, dtype=None):
        return keras.ops.broadcast_to(bilinear_kernel(factor)[..., None, None], shape)

    return keras.layers.Conv2DTranspose(
        NUM_CLASSES,
        2 * factor,
        factor,
        padding="same",
        use_bias=False,
        activation=activation,
        kernel_initializer=every_pair,
        kernel_regularizer=keras.regularizers.L2(L2),
    )


def ours(backbone, side, mixed=False):
    changes = {"backbone": backbone, "crop_size": side, "weights": "none", "mixed_precision": mixed}
    recipe = fcn.Recipe.load("keras_fcn_fcn8s_at_once", **changes)
    return compiled_model(recipe, NUM_CLASSES, steps_per_epoch=100)


def measure(backbone, side, batch, steps):
    """Seconds a step of all networks, in turn; the first two steps do not count."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 3)).astype(np.float32)
    labels = rng.integers(0, NUM_CLASSES, (batch, side, side)).astype(np.uint8)
    networks = {
        "baseline": baseline(backbone),
        "ours": ours(backbone, side),
        "mixed": ours(backbone, side, mixed=True),
    }
    seconds = {name: [] for name in networks}
    for _ in range(2 + steps):
        for name, network in networks.items():
            started = time.perf_counter()
            network.train_on_batch(images, labels)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(times[2:])) for name, times in seconds.items()}
    pairs = {
        name: np.array(seconds["baseline"][2:]) / np.array(seconds[name][2:])
        for name in ("ours", "mixed")
    }
    return {
        "backbone": backbone,
        "side": side,
        "batch": batch,
        "steps": steps,
        "seconds_a_step": medians,
        "images_a_second": {name: batch / value for name, value in medians.items()},
        "computes_in": {
            name: network.get_layer("block1_conv1").compute_dtype
            for name, network in networks.items()
            if name != "baseline"
        },
        "ratio": {name: float(np.median(pair)) for name, pair in pairs.items()},
        "ratio_quartiles": {
            name: np.quantile(pair, [0.25, 0.75]).tolist() for name, pair in pairs.items()
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", choices=TRUNKS, action="append")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=15)
    options = parser.parse_args()
    rows = []
    for backbone in options.backbone or TRUNKS:
        rows.append(measure(backbone, options.side, options.batch, options.steps))
        for name, ratio in rows[-1]["ratio"].items():
            print(f"{backbone}, {name}: {ratio:.2f} times the images a second", flush=True)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "keras": keras.__version__}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    print(f"Wrote {RESULT}.")


if __name__ == "__main__":
    main()
