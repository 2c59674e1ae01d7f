"""Runs that take a moment, two steps on a small network, and what may happen to them."""

from contextlib import contextmanager

import pytest

import fcn_tutorial as fcn
from fcn_tutorial import runs
from fcn_tutorial.callbacks import RunFolder

QUICK = fcn.Recipe(
    dataset="shapes",
    variant="fcn32s",
    backbone="vgg_narrow",
    weights="none",
    limit=4,
    crop_size=32,
    batch_size=2,
    epochs=2,
)


def made_run(folder, model, recipe, dataset):
    """Write the folder of a run that was never trained."""
    (folder / "checkpoints").mkdir(parents=True)
    model.save(folder / "checkpoints" / "best.keras")
    runs.describe(folder, recipe, dataset, {}, done=0)
    return folder


@contextmanager
def in_the_second_epoch(deed):
    """Within it, trainings call deed(model) when their second epoch begins."""

    def on_epoch_begin(callback, epoch, logs=None):
        if epoch == 1:
            deed(callback.model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "on_epoch_begin", on_epoch_begin)
        yield
