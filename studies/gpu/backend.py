"""What JAX and PyTorch do each in its own way, for the scripts beside it."""

import time

from studies.common import peak


def device():
    """The name of the device that Keras computes on, and whether it is a GPU."""
    import keras

    from fcn_tutorial.devices import on_gpu
    from fcn_tutorial.runs import environment

    name = "CPU"
    if on_gpu() and keras.backend.backend() == "jax":
        import jax

        name = jax.devices()[0].device_kind
    elif on_gpu():
        import torch

        name = torch.cuda.get_device_name()
    yield {"device": name, "gpu": on_gpu(), **environment()}


def peak_memory():
    """The most bytes that this process has held, on the GPU or else of the machine's memory."""
    import keras

    from fcn_tutorial.devices import on_gpu

    if not on_gpu():
        return peak()
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    import torch

    return torch.cuda.max_memory_allocated()


def multiply_32_bits_in(kind):
    """How products of numbers of 32 bits are made: in "float32" or in "tf32"."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        precision = {"float32": "float32", "tf32": "tensorfloat32"}[kind]
        jax.config.update("jax_default_matmul_precision", precision)
    elif keras.backend.backend() == "torch":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = kind == "tf32"


def compute_halves_in(half):
    """Let 16 bits mean "float16" or "bfloat16"; "" leaves it to the library."""
    from fcn_tutorial import devices

    if half:
        devices.mixed_policy = lambda: f"mixed_{half}"


def seconds_of_fit(model, data, steps, epochs):
    """Seconds of each of so many epochs of so many steps, as `fit` makes them."""
    import keras

    seconds = []

    def begin(epoch, logs):
        seconds.append(-time.perf_counter())

    def end(epoch, logs):
        float(logs["loss"])  # waits until the device is done
        seconds[-1] += time.perf_counter()

    clock = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
    steps = {"steps_per_epoch": steps, "epochs": epochs}
    model.fit(data, callbacks=[clock], verbose=0, shuffle=False, **steps)
    return seconds
