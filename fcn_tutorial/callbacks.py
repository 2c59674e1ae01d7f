"""What happens after each step and each epoch: stop at a broken loss; validate, write, keep.

A checkpoint always holds the plain model, whatever trains it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fcn_tutorial import runs
from fcn_tutorial.data.dataset import Dataset
from fcn_tutorial.devices import OneDevice, one_device
from fcn_tutorial.errors import InputError
from fcn_tutorial.files import ROOM, write_whole
from fcn_tutorial.inference import evaluate
from fcn_tutorial.recipe import Recipe
from fcn_tutorial.weights import finalize, save_state

MOST_NAMES = 16  # of examples, in a sentence


class FiniteLoss(keras.callbacks.Callback):
    """Stops at the first batch after which the loss is not finite, and names its examples.

    names_of: gives the names of the examples in a batch of the run, by its number from 0. steps: of
    an epoch. folder: of the run, which keeps the epochs before. where: the folder of the examples'
    files, for the message; None where there are no files.
    """

    def __init__(
        self,
        names_of: Callable[[int], Sequence[str]],
        steps: int,
        folder: Path,
        where: Path | None = None,
    ) -> None:
        super().__init__()
        self.names_of, self.steps, self.folder, self.where = names_of, steps, folder, where

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Keras gives the mean over the epoch so far, which stays NaN or infinite once it is.
        loss = (logs or {})["loss"]
        if np.isfinite(loss):
            return
        names = self.names_of(self.epoch * self.steps + batch)
        listed = ", ".join(names[:MOST_NAMES]) + ", ..." * (len(names) > MOST_NAMES)
        where = f" in {self.where}" if self.where else ""
        raise InputError(
            f"the loss became {loss} in epoch {self.epoch + 1}, step {batch + 1} (batch of "
            f"{listed}{where}): lower learning_rate or check these examples, and train into "
            f"another folder; earlier epochs are kept in {self.folder}."
        )


class RunFolder(keras.callbacks.Callback):
    """After each epoch: validate at native resolution, then write history and checkpoints.

    network: the model that is saved. done: number of epochs that are behind the run. recipe: says
    which epoch's model to keep, and when to stop early. both: names of the examples that are both
    trained and validated on. scored: what gives the model's logits in validation; by default the
    model does. shared: of several processes, number 0 validates and writes. InputError where
    weights became NaN or infinite, or a file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        network: keras.Model,
        validation: Dataset,
        done: int,
        recipe: Recipe,
        both: Sequence[str] = (),
        scored: Any = None,
        shared: OneDevice | None = None,
    ) -> None:
        super().__init__()
        self.folder, self.validation, self.recipe, self.both = folder, validation, recipe, both
        self.network, self.scored, self.shared = network, scored, shared or OneDevice()
        self.history = runs.read_history(folder, done)[:done]

    def on_train_begin(self, logs: dict | None = None) -> None:
        # The same layers without the optimizer: what is saved for use, and for validation.
        network = self.network
        self.bare = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
        if self.shared.processes > 1:  # the weights belong to all, and one process cannot use them
            with one_device():
                self.bare = keras.models.clone_model(self.bare)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not all(np.isfinite(weight).all() for weight in self.network.get_weights()):
            raise InputError(
                f"weights became NaN or infinite in epoch {epoch + 1}: lower learning_rate and "
                f"train into another folder; earlier epochs are kept in {self.folder}."
            )
        with averaged(self.network), one_device():
            if self.shared.processes > 1:
                self.bare.set_weights(self.network.get_weights())
                finalize(self.bare.layers)
            if self.shared.process == 0:
                self._keep_best(epoch + 1, {} if logs is None else logs)
                self.model.stop_training = runs.stopped_early(self.history, self.recipe.patience)
        if self.shared.process == 0:
            runs.write_history(self.folder, self.history)
            # Last of all, since this file says up to which epoch the others are complete.
            with one_device():
                save_state(self.network, self.folder / runs.CHECKPOINT, epoch + 1)

    def _keep_best(self, epoch: int, logs: dict[str, Any]) -> None:
        """Validate, add the scores to the history, and save the model if it is to be kept."""
        result = evaluate(self.scored or self.bare, self.validation)
        logs |= {"val_mean_iou": result.mean_iou, "val_pixel_accuracy": result.pixel_accuracy}
        best = max((row["val_mean_iou"] for row in self.history), default=-1.0)
        self.history.append({"epoch": epoch, **{k: float(v) for k, v in logs.items()}})
        path = self.folder / "checkpoints" / "best.keras"
        if self.recipe.keep == "last" or result.mean_iou > best or not path.exists():
            write_whole(path, self.bare.save)
            more = {"epoch": epoch, "overlap": len(self.both)}
            runs.write_scores(self.folder / "scores.json", result, self.validation, **more)


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Within it, the weights that learn are their running averages, if the optimizer has them."""
    with ExitStack() as afterwards:
        for weight in model.trainable_weights:
            afterwards.callback(weight.assign, keras.ops.convert_to_numpy(weight))
        model.optimizer.finalize_variable_values(model.trainable_weights)
        for weight in model.trainable_weights:
            # On JAX it would share the average's memory, which predicting uses up.
            weight.assign(keras.ops.convert_to_numpy(weight))
        yield


def why_stopped(error: Exception, recipe: Recipe) -> Exception:
    """The InputError for a full disk or a full GPU; any other error as it is."""
    # TensorFlow has one error for both, and names the file in its text.
    if written := re.search(r"(\S*/tensorboard/?\S*); ([^[\n]+)", str(error)):
        path, reason = written.groups()
        return InputError(f"{path} cannot be written ({reason}): {ROOM}.")
    full = type(error).__name__ in ("ResourceExhaustedError", "OutOfMemoryError")
    if not full and "RESOURCE_EXHAUSTED" not in str(error):
        return error
    key = "batch_size" if recipe.batch_size > 1 else "crop_size"
    return InputError(
        f"out of memory with batch_size {recipe.batch_size} and crop_size "
        f"{recipe.crop_size}: set a smaller {key}, for example {getattr(recipe, key) // 2}."
    )
