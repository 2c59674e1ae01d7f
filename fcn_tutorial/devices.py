"""Training on several devices at once: each holds all weights and works on a part of each batch.

TensorFlow splits and joins the batch with `tf.distribute.MirroredStrategy`. On JAX,
`keras.distribution.DataParallel` tells the compiler which device holds what; these may belong to
several processes, on one machine or on more, that JAX's own runtime brings together.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from typing import Any

import keras

from fcn_tutorial.errors import InputError, check_whole


class OneDevice:
    """How to train where nothing is shared: `count` devices share a batch, `scope` does nothing.

    `process` is the number of this process, of the `processes` that train one model; 0 writes.
    """

    count, process, processes = 1, 0, 1

    def scope(self) -> AbstractContextManager:
        """A context in which models are built, resumed and, on JAX, trained."""
        return nullcontext()

    training = scope

    def join(self, model: keras.Model) -> None:
        """Let each device's part of a compiled model see the complete batch where it must."""

    def meet(self) -> None:
        """Wait until all processes have reached this point."""


class Mirrored(OneDevice):
    """Devices of this machine that TensorFlow keeps equal; GPUs, or parts of the processor."""

    def __init__(self, count: int) -> None:
        import tensorflow as tf

        self.count = count
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        if kind == "CPU":
            parts = [tf.config.LogicalDeviceConfiguration()] * count
            processor = tf.config.list_physical_devices("CPU")[0]
            # Where TensorFlow has started already, it keeps the devices that it found.
            with suppress(RuntimeError):
                tf.config.set_logical_device_configuration(processor, parts)
        names = [device.name for device in tf.config.list_logical_devices(kind)]
        _check_number(names, count)
        self.strategy = _mirrored(*names[:count])

    def scope(self) -> AbstractContextManager:
        return self.strategy.scope()

    def join(self, model: keras.Model) -> None:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        model.loss.devices, model.loss.over_devices = self.count, _sum_over_replicas


def _sum_over_replicas(value: Any) -> Any:
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value) if replica else value


@cache
def _mirrored(*names: str) -> Any:
    # A second strategy over the same devices would wait for messages that the first one took.
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(names)


class DataParallel(OneDevice):
    """Devices among which JAX shares a batch, of this process or of several.

    KERAS_DISTRIBUTION_JOB_ADDRESSES (HOST:PORT of number 0), _NUM_PROCESSES and _PROCESS_ID say
    which processes belong together, as for any program with Keras on JAX. All of them must see the
    run folder.
    """

    def __init__(self, count: int) -> None:
        import jax

        self.count = count
        said = os.environ.get("KERAS_DISTRIBUTION_NUM_PROCESSES", "1")
        number = int(said) if said.isdecimal() else said
        processes = check_whole("KERAS_DISTRIBUTION_NUM_PROCESSES", number, 1)
        with suppress(RuntimeError):  # JAX has started already, with the devices that it found
            jax.config.update("jax_num_cpu_devices", max(1, count // processes))
        if processes > 1 and not jax.distributed.is_initialized():
            keras.distribution.initialize()
        self.process, self.processes = jax.process_index(), jax.process_count()
        names = keras.distribution.list_devices()
        _check_number(names, count)
        if self.processes > 1 and count < len(names):
            raise InputError(
                f"{self.processes} processes have {len(names)} devices in total: run each with "
                f"--devices {len(names)}."
            )
        self.distribution = keras.distribution.DataParallel(
            devices=names[:count], auto_shard_dataset=False
        )

    def scope(self) -> AbstractContextManager:
        return self.distribution.scope()

    training = scope

    def meet(self) -> None:
        if self.processes > 1:
            from jax.experimental.multihost_utils import sync_global_devices

            sync_global_devices("fcn_tutorial")


def device_names() -> list[str]:
    """Names of the devices that Keras computes with, for example ["gpu:0"]."""
    if keras.backend.backend() == "torch":  # for which Keras lists none
        return [str(keras.ops.zeros(1).device)]
    return keras.distribution.list_devices()


def on_gpu() -> bool:
    """Whether Keras computes with anything but the processor."""
    return any(not name.startswith("cpu") for name in device_names())


def mixed_policy() -> str:
    """Keras's name for computing in 16 bits with weights in 32: float16 on a GPU, else bfloat16.

    Keras scales float16's gradients. Processors compute in bfloat16 only, which reaches as far as
    float32 and needs no scaling.
    """
    return "mixed_float16" if on_gpu() else "mixed_bfloat16"


@contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Within it, new layers compute in 16 bits if `mixed`, else in 32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(mixed_policy() if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _check_number(names: Sequence[str], count: int) -> None:
    if len(names) < count:
        raise InputError(
            f"--devices {count} needs {count} devices, but there are {len(names)} "
            f"({', '.join(names)}): ask for fewer."
        )


def devices(count: int, batch_size: int) -> OneDevice:
    """How to train on `count` devices, those of other processes included, that share a batch.

    InputError where there are not as many, the batch cannot be shared evenly among them, or Keras's
    backend trains on one only.
    """
    check_whole("--devices", count, 1)
    if count == 1:
        return OneDevice()
    if batch_size % count:
        raise InputError(
            f"a batch of {batch_size} cannot be shared evenly among {count} devices: set "
            f"batch_size to a multiple of {count}."
        )
    kinds: dict[str, type] = {"tensorflow": Mirrored, "jax": DataParallel}
    backend = keras.backend.backend()
    if backend not in kinds:
        raise InputError(
            f"training with KERAS_BACKEND={backend} uses one device: use tensorflow or jax for "
            f"--devices {count}."
        )
    return kinds[backend](count)


@contextmanager
def one_device() -> Iterator[None]:
    """Within it, a model computes on its own, whatever the training around it shares."""
    shared = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(shared)
