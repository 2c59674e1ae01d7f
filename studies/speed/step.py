"""A training step of FCN-8s beside that of the construction in kevinddchen/Keras-FCN.

    python -m studies.speed.step

The baseline is that repository's network as its source builds it, rewritten: each upsampling is
a full transposed convolution that mixes all 21 classes and learns, with L2; every convolution has
L2; the last layer is a softmax, and the loss takes the logarithm of a probability; Adam; void
counts as background; its own mean IoU, by argmax. This library's side is what `fcn-tutorial train`
compiles for the recipe keras_fcn_fcn8s_at_once: `plain` with fast = false, `ours` as it is, both in
32 bits as the baseline, and with --mixed `mixed`, whose layers compute in 16; few processors can.
All start from random weights, and make steps in turn on the same batch that lies in memory, each in
a process of its own, as `fast` also changes how a process keeps its memory.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack

import keras
import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial.training import compiled_model
from studies.common import in_turn, write

NUM_CLASSES = 21
SIDE, BATCH, STEPS = 256, 4, 15
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
    x = keras.layers.Lambda(lambda rgb: keras.ops.flip(rgb, -1) + keras.ops.array(means))(x)
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
        return keras.ops.broadcast_to(fcn.bilinear_kernel(factor)[..., None, None], shape)

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


def ours(backbone, side, **changes):
    changes |= {"backbone": backbone, "crop_size": side, "weights": "none"}
    recipe = fcn.Recipe.load("keras_fcn_fcn8s_at_once", **changes)
    return compiled_model(recipe, NUM_CLASSES, steps_per_epoch=100)


def build(name, backbone, side, batch):
    """In a process of its own: build a network and the batch on which `step` trains it."""
    global trained, examples
    build_it = {
        "baseline": lambda: baseline(backbone),
        "plain": lambda: ours(backbone, side, fast=False),
        "ours": lambda: ours(backbone, side),
        "mixed": lambda: ours(backbone, side, mixed_precision=True),
    }
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 3)).astype(np.float32)
    labels = rng.integers(0, NUM_CLASSES, (batch, side, side)).astype(np.uint8)
    trained, examples = build_it[name](), (images, labels)


def step():
    trained.train_on_batch(*examples)


def compute_dtype():
    return trained.get_layer("block1_conv1").compute_dtype


def measure(networks, backbone, side, batch, steps):
    """Seconds a step of all networks, in turn; the first two steps do not count."""
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(
                ProcessPoolExecutor(1, spawn, build, (name, backbone, side, batch))
            )
            for name in networks
        }
        calls = {name: lambda p=p: p.submit(step).result() for name, p in processes.items()}
        seconds = in_turn(calls, steps, warm_up=2)
        dtypes = {
            name: process.submit(compute_dtype).result()
            for name, process in processes.items()
            if name != "baseline"
        }
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    pairs = {name: seconds["baseline"] / seconds[name] for name in networks if name != "baseline"}
    return {
        "backbone": backbone,
        "side": side,
        "batch": batch,
        "steps": steps,
        "seconds_a_step": medians,
        "images_a_second": {name: batch / value for name, value in medians.items()},
        "computes_in": dtypes,
        "ratio": {name: float(np.median(pair)) for name, pair in pairs.items()},
        "ratio_quartiles": {
            name: np.quantile(pair, [0.25, 0.75]).tolist() for name, pair in pairs.items()
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mixed", action="store_true")
    networks = ["baseline", "plain", "ours", *(["mixed"] if parser.parse_args().mixed else [])]
    rows = []
    for backbone in TRUNKS:
        rows.append(measure(networks, backbone, SIDE, BATCH, STEPS))
        print(backbone, rows[-1]["ratio"], flush=True)
    write(__file__, {"rows": rows})


if __name__ == "__main__":
    main()
