"""What several test files need: a quiet TensorFlow, refused input, and a small CamVid."""

import os
import sys
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from hypothesis import HealthCheck, settings

import fcn_tutorial as fcn

COMMON = {
    "deadline": None,  # on a busy machine, time says nothing
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
settings.register_profile("small", max_examples=20, **COMMON)
settings.register_profile("thorough", max_examples=10_000, **COMMON)
settings.register_profile("mutants", max_examples=20, derandomize=True, database=None, **COMMON)
settings.load_profile("small")


# Modules whose tests train, convert or dilate networks.
SLOW = {"callbacks", "devices", "dilated", "export", "fast", "features", "runs", "training"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem.removeprefix("test_") in SLOW:
            item.add_marker(pytest.mark.slow)
    # Processes are given the files in this order; those of the thorough tests take longest.
    items.sort(key=lambda item: item.path.parent.name != "thorough")


@pytest.fixture(scope="session")
def refusal():
    """Call something that the library must refuse; returns the message, which is one line."""

    def message_of(call, *args, **kwargs):
        with pytest.raises(fcn.InputError) as caught:
            call(*args, **kwargs)
        message = str(caught.value)
        assert message and "\n" not in message
        return message

    return message_of


@pytest.fixture(scope="session")
def small_files():
    """Within small_files(room), this process makes no file longer than that: the disk is full."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def within(room):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return within


@pytest.fixture
def command_line(monkeypatch, capsys):
    """Run `fcn-tutorial` in this process; returns exit code, standard output, standard error."""
    from fcn_tutorial import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fcn-tutorial", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
            raise SystemExit(0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return stopped.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture(autouse=True)
def skips_what_is_for_tensorflow(request):
    marker = request.node.get_closest_marker("tensorflow_only")
    if marker is not None:
        import keras

        if keras.backend.backend() != "tensorflow":
            pytest.skip(f"tensorflow_only: {marker.args[0]}")


@pytest.fixture(scope="session")
def value_and_gradient():
    """Call (function, x) of one number; returns the function's value at x and its gradient there.

    x: float32 array. The gradient is what one step of plain SGD takes off a weight that holds x.
    """
    import keras

    class Held(keras.layers.Layer):
        def __init__(self, function, x):
            super().__init__()
            self.function, self.x = function, self.add_weight(shape=x.shape)
            self.x.assign(x)

        def call(self, inputs):
            return self.function(keras.ops.convert_to_tensor(self.x))

    def value_and_gradient(function, x):
        held = Held(function, x)
        model = keras.Sequential([held])
        model.compile(keras.optimizers.SGD(1.0), lambda _, value: value)
        value = model.train_on_batch(keras.ops.zeros((1, 1)), keras.ops.zeros((1, 1)))
        return float(value), x - keras.ops.convert_to_numpy(held.x)

    return value_and_gradient


@pytest.fixture
def camvid_root(tmp_path):
    """A folder with a small data set in CamVid's layout: 6, 3 and 3 images of 64 x 48."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3), ("test", 3)):
        lines = []
        for index in range(count):
            blocks = rng.integers(0, 12, (6, 8), dtype=np.uint8)  # 11 is void
            label = np.kron(blocks, np.ones((8, 8), np.uint8))
            image = np.stack([20 * label, 255 - 20 * label, label], axis=-1)
            for folder, picture in ((split, image), (f"{split}annot", label)):
                path = tmp_path / "CamVid" / folder / f"{split}{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(path)
            lines.append(f"/SegNet/CamVid/{split}/{split}{index}.png /SegNet/other.png")
        (tmp_path / "CamVid" / f"{split}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path
