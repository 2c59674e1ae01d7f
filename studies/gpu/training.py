"""Training VGG-16's FCN-8s on 512 x 512 crops on a GPU: images a second, memory, share of the peak.

    python -m studies.gpu.training --batch-size 8

Measures in float32 and in mixed precision, each with and without compilation by XLA, on noise that
lies in memory. Each rate also stands as a share of what the same card does in a product of two
large square matrices of the same precision. A step of training counts as three forward passes, and
those as the multiplications and additions of their convolutions: nothing else adds up to much.
Runs on Keras's TensorFlow or JAX backend (KERAS_BACKEND).
Without a GPU it stops with exit code 2; --allow-cpu goes on, for which the sizes should be small.
"""

import argparse
import math
import platform
import sys
from functools import partial
from itertools import product

import keras
import numpy as np

import fcn_tutorial as fcn
from studies.common import fresh, in_turn, multiply_adds, peak, write

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
        return peak()
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def operations_a_second(side, dtype, rounds=5):
    """The best rate at which square matrices are multiplied, one product after the other."""
    # Entries of this size neither grow nor vanish from one product to the next.
    matrix = np.random.default_rng(0).normal(size=(side, side)) / math.sqrt(side)
    factor = keras.ops.convert_to_tensor(matrix, dtype)

    def products():
        result = factor
        for _ in range(PRODUCTS):
            result = keras.ops.matmul(factor, result)
        keras.ops.convert_to_numpy(result[:1, :1])  # waits until the device is done

    seconds = in_turn({"products": products}, rounds)["products"]
    return 2 * side**3 * PRODUCTS / min(seconds)


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
    # The loss that it returns waits for the device.
    call = {"step": partial(model.train_on_batch, images, labels)}
    first = in_turn(call, 1, warm_up=0)["step"]
    step = float(np.median(in_turn(call, sizes.steps)["step"]))
    return {
        "precision": precision,
        "compiled": with_xla,
        "seconds_to_first_step": float(first[0]),
        "seconds_a_step": step,
        "images_a_second": sizes.batch_size / step,
        "operations_a_step": 6 * sizes.batch_size * multiply_adds(model, sizes.crop_size),
        "peak_bytes": peak_memory(),
    }


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
            f"studies.gpu.training: Keras's backend {keras.backend.backend()} sees no GPU on this "
            "machine: run it where there is one, or with --allow-cpu and small sizes.",
            file=sys.stderr,
        )
        sys.exit(2)
    write(__file__, measure(sizes, device))


if __name__ == "__main__":
    main(sys.argv[1:])
