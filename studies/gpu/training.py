"""Training VGG-16's FCN-8s on 512 x 512 crops on a GPU: images a second, memory, share of the peak.

    python benchmarks/gpu_training.py --batch-size 8

Measures in float32 and in mixed precision, each with and without compilation by XLA, on noise that
lies in memory. Each rate also stands as a share of what the same card does in a product of two
large square matrices of the same precision. A step of training counts as three forward passes, and
those as the multiplications and additions of their convolutions: nothing else adds up to much.
Runs on Keras's TensorFlow or JAX backend (KERAS_BACKEND). Writes results/gpu/training.json.
Without a GPU it stops with exit code 2; --allow-cpu goes on, for which the sizes should be small.
"""

import argparse
import json
import math
import multiprocessing
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import keras
import numpy as np

import fcn_tutorial as fcn

RESULT = Path(__file__).with_suffix(".json")
PRECISIONS = {"float32": "float32", "mixed_float16": "float16"}  # what the products are made in
PRODUCTS = 10  # of matrices, between two looks at the clock


def options(arguments):
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="vgg16", choices=["vgg16", "vgg_narrow"])
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=20, help="Steps that are timed.")
    parser.add_argument("--matrix", type=int, default=8192, help="Side of the matrices.")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--allow-cpu", action="store_true", help="Go on without a GPU.")
    return parser.parse_args(arguments)


def sees_gpu():
    # JAX raises an error when it is asked for its GPUs and has none, so ask for the best it has.
    return keras.distribution.list_devices()[0].startswith("gpu")


def gpu():
    """The name of the first GPU that Keras's backend sees; None without one."""
    if not sees_gpu():
        return None
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    device = tf.config.list_physical_devices("GPU")[0]
    return tf.config.experimental.get_device_details(device)["device_name"]


def peak_memory():
    """The most bytes that this process has held, on the GPU or else of the machine's memory."""
    if not sees_gpu():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def multiply_adds(model, side):
    """Multiplications with additions in the convolutions, for one image of side x side pixels."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    maps = keras.Model(model.inputs[0], [layer.output for layer in layers])
    specs = maps.compute_output_spec(keras.KerasTensor((1, side, side, 3)))
    return sum(
        math.prod(spec.shape[1:3]) * math.prod(layer.kernel.shape)
        for spec, layer in zip(specs, layers, strict=True)
    )


def operations_a_second(side, dtype, rounds=5):
    """The best rate at which square matrices are multiplied, one product after the other."""
    # Entries of this size neither grow nor vanish from one product to the next.
    matrix = np.random.default_rng(0).normal(size=(side, side)) / math.sqrt(side)
    factor = keras.ops.convert_to_tensor(matrix, dtype)
    seconds = []
    for _ in range(rounds + 1):
        started, result = time.perf_counter(), factor
        for _ in range(PRODUCTS):
            result = keras.ops.matmul(factor, result)
        keras.ops.convert_to_numpy(result[:1, :1])  # waits until the device is done
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 * PRODUCTS / min(seconds[1:])


def compiled(backbone, precision, with_xla):
    """FCN-8s with 21 classes, ready to train with four numbers kept for each weight."""
    keras.mixed_precision.set_global_policy(precision)
    model = fcn.build_fcn("fcn8s", 21, backbone)
    keras.mixed_precision.set_global_policy("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile(keras.optimizers.AdamW(1e-5), loss, jit_compile=with_xla)
    return model


def train(sizes, precision, with_xla):
    """Time steps of training; the first two, in which functions are traced, do not count."""
    model = compiled(sizes.backbone, precision, with_xla)
    rng, shape = np.random.default_rng(0), (sizes.batch_size, sizes.crop_size, sizes.crop_size)
    images = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    labels = rng.integers(0, 21, shape, dtype=np.uint8)
    seconds = []
    for _ in range(2 + sizes.steps):
        started = time.perf_counter()
        model.train_on_batch(images, labels)  # returns the loss, so it waits for the device
        seconds.append(time.perf_counter() - started)
    step = float(np.median(seconds[2:]))
    return {
        "precision": precision,
        "compiled": with_xla,
        "seconds_to_first_step": seconds[0],
        "seconds_a_step": step,
        "images_a_second": sizes.batch_size / step,
        "operations_a_step": 6 * sizes.batch_size * multiply_adds(model, sizes.crop_size),
        "peak_bytes": peak_memory(),
    }


def fresh(function, *arguments):
    """Call a function in a process of its own, so that memory is counted from nothing."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(sizes, device):
    """The table of one device, as it is written."""
    products = {
        name: fresh(operations_a_second, sizes.matrix, PRECISIONS[name]) for name in PRECISIONS
    }
    table = {
        "device": device or f"CPU ({platform.machine()})",
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        **{
            name: getattr(sizes, name) for name in ("backbone", "batch_size", "crop_size", "matrix")
        },
        "matrix_operations_a_second": products,
        "rows": [],
    }
    for precision, with_xla in product(PRECISIONS, (False, True)):
        row = fresh(train, sizes, precision, with_xla)
        rate = row["operations_a_step"] / row["seconds_a_step"]
        table["rows"].append({**row, "share_of_matrix_product": rate / products[precision]})
        print(describe(table["rows"][-1]), flush=True)
    return table


def describe(row):
    way = "compiled" if row["compiled"] else "not compiled"
    return (
        f"{row['precision']:13} {way:12} {row['images_a_second']:8.2f} images a second, "
        f"{row['peak_bytes'] / 1e9:6.2f} GB, {row['share_of_matrix_product']:.0%} of the product"
    )


def main(arguments):
    sizes = options(arguments)
    device = fresh(gpu)
    if device is None and not sizes.allow_cpu:
        print(
            f"gpu_training.py: Keras's backend {keras.backend.backend()} sees no GPU on this "
            "machine: run it where there is one, or with --allow-cpu and small sizes.",
            file=sys.stderr,
        )
        sys.exit(2)
    table = measure(sizes, device)
    sizes.output.parent.mkdir(parents=True, exist_ok=True)
    sizes.output.write_text(json.dumps(table, indent=1) + "\n")
    print(f"Wrote {sizes.output}.")


if __name__ == "__main__":
    main(sys.argv[1:])
