"""Recipe -> trained model, to be read from top to bottom: data, model, callbacks, fit.

Source: Long, Shelhamer and Darrell 2015, section 4.3, with AdamW and a cosine schedule in place of
SGD at a fixed rate.
"""

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from fcn_tutorial import runs
from fcn_tutorial.callbacks import FiniteLoss, RunFolder, why_stopped
from fcn_tutorial.data.dataset import Dataset, check_classes, check_disjoint, shared_examples
from fcn_tutorial.data.pipeline import batches, names_in_batch
from fcn_tutorial.devices import OneDevice, precision
from fcn_tutorial.devices import devices as sharing
from fcn_tutorial.errors import InputError
from fcn_tutorial.fast import keep_freed_memory, speed_up
from fcn_tutorial.fcn import build_fcn
from fcn_tutorial.features import KeptFeatures, check_crops
from fcn_tutorial.files import held
from fcn_tutorial.losses import REDUCTIONS, CrossEntropy, class_weights, running_mean_iou
from fcn_tutorial.optimizers import build_optimizer, freeze
from fcn_tutorial.prepared import prepared, splits
from fcn_tutorial.recipe import Recipe
from fcn_tutorial.runs import Run
from fcn_tutorial.weights import epochs_of


def train(
    recipe: Recipe | str | Path,
    output: str | Path,
    verbose: int = 1,
    devices: int = 1,
    training: Sequence | None = None,
    validation: Sequence | None = None,
    classes: Sequence[str] | None = None,
) -> Run:
    """Train by a recipe into the folder `output`, or resume the run that is there.

    Args:
        recipe: a name, the path of a TOML file, or a Recipe.
        output: a new or empty folder, or that of a run by the same recipe; one with more epochs
            continues the run, at the learning rate that its schedule has for that many.
        verbose: 1 shows a progress bar, 2 a line an epoch, 0 nothing, as in Keras.
        devices: number of devices that share each batch, those of other processes included.
        training, validation: what to train and validate on in place of the recipe's data set: data
            sets, or any sequences of (image uint8 (H, W, 3), label uint8 (H, W)).
        classes: their names, where `training` has no attribute `classes`.

    Returns:
        The finished run, with the model that the recipe says to keep.

    Raises:
        InputError: the recipe or the data cannot be used; `output` holds a run by another recipe or
            is being trained in; the loss became NaN or infinite; a file cannot be written; or there
            are too few devices.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    recipe, data = prepared(recipe, training, validation, classes, verbose)
    folder, shared = Path(output), sharing(devices, recipe.batch_size)
    if shared.count > 1 and recipe.keep_features:
        raise InputError("keep_features works on one device: set it to false, or use --devices 1.")
    if shared.processes > 1 and recipe.patience:
        raise InputError("patience works in one process only: set it to 0.")
    alone = held(folder, runs.LOCK, "trained in", stays=(folder / "recipe.toml").exists)
    with nullcontext() if shared.process else alone:  # number 0 writes
        if shared.process == 0:
            runs.check_folder(folder, recipe)
        done = epochs_of(folder / runs.CHECKPOINT)
        stopped = runs.stopped_early(runs.read_history(folder, done)[:done], recipe.patience)
        if done < recipe.epochs and not stopped:
            _train(recipe, folder, verbose, shared, *(data or splits(recipe)))
    shared.meet()
    return runs.load_run(folder)


def _train(recipe: Recipe, folder: Path, verbose: int, shared: OneDevice, *data: Dataset) -> None:
    training, validation = data
    for note in getattr(training, "notes", ()) if verbose else ():
        print(note)
    if not recipe.allow_overlap:
        check_disjoint(training, validation)
    check_classes(training)
    one_pass = max(1, len(training) // recipe.batch_size)
    steps = one_pass if recipe.limit else recipe.steps_per_epoch or one_pass
    keras.utils.set_random_seed(recipe.seed)

    with shared.scope():
        model = compiled_model(recipe, len(training.classes), steps)
        shared.join(model)
        done = runs.resume(folder, model, steps)
    stream = _batches(recipe, training, done * steps, shared)
    kept = _kept_features(recipe, model, training, folder) if recipe.keep_features else None

    file, both = training.image_file(0), shared_examples(training, validation)
    names_of = partial(names_in_batch, training, recipe.batch_size, recipe.seed)
    callbacks = [
        FiniteLoss(names_of, steps, folder, file and file.parent),
        RunFolder(folder, model, validation, done, recipe, both, kept, shared),
    ]
    if shared.process == 0:
        if find_spec("tensorflow"):  # Keras's TensorBoard writes its files with TensorFlow
            callbacks.append(keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False))
        # Only now, when the recipe is known to be usable, does it take hold of the folder.
        around = {**runs.surroundings(training, validation), "devices": shared.count}
        runs.describe(folder, recipe, training, around, done)

    learning = model
    if kept:
        stream = kept.batches(stream, len(training), recipe.batch_size, progress=verbose == 1)
        learning = kept.head
    epochs = {"initial_epoch": done, "epochs": recipe.epochs, "steps_per_epoch": steps}
    with shared.training():
        _fit(learning, stream, recipe, callbacks=callbacks, verbose=verbose, **epochs)
    if kept:
        shutil.rmtree(kept.folder, ignore_errors=True)


def _batches(recipe: Recipe, training: Dataset, first: int, shared: OneDevice) -> Any:
    """The stream of augmented batches, from number `first` on; this process's part of each."""
    keys = ("batch_size", "crop_size", "scale", "flip", "color", "seed")
    options = {key: getattr(recipe, key) for key in keys}
    weights = class_weights(training, recipe.class_weighting, recipe.class_weights)
    part = shared.process, shared.processes
    return batches(training, **options, class_weights=weights, first_batch=first, part=part)


def compiled_model(recipe: Recipe, num_classes: int, steps_per_epoch: int) -> keras.Model:
    """The recipe's model with its loss, optimizer and training metric.

    The loss is the cross-entropy on logits, averaged (or summed) over the pixels that are not void,
    and with `jaccard` the soft Jaccard index beside it.
    """
    with precision(recipe.mixed_precision):
        initial = _initial_model(recipe.initial, num_classes)
        weights = None if initial is not None or recipe.weights == "none" else recipe.weights
        options = recipe.architecture()
        model = build_fcn(num_classes=num_classes, weights=weights, initial=initial, **options)
    freeze(model, recipe.freeze, recipe.freeze_normalization)
    optimizer = build_optimizer(recipe, model, steps_per_epoch)
    loss = CrossEntropy(recipe.jaccard, reduction=REDUCTIONS[recipe.loss])
    metric = running_mean_iou(num_classes)
    if recipe.fast:
        keep_freed_memory()
        speed_up(model, optimizer, loss, metric)
    model.compile(optimizer, loss, metrics=[metric])
    return model


def _initial_model(source: str, num_classes: int) -> keras.Model | None:
    """The model of a run folder, or one that the package carries; None where none is asked for."""
    model = runs.load_run(source).model if source else None
    if model is not None and (theirs := model.output_shape[-1]) != num_classes:
        print(f"{source} has {theirs} classes, not {num_classes}: its score layers are not copied.")
    return model


def _kept_features(
    recipe: Recipe, model: keras.Model, dataset: Dataset, folder: Path
) -> KeptFeatures:
    """The model cut behind its frozen layers, with what is behind them compiled as the model is."""
    check_crops(dataset, recipe.crop_size)
    kept = KeptFeatures(model, recipe.freeze, folder / "features")
    kept.head.compile(model.optimizer, model.loss, metrics=[running_mean_iou(len(dataset.classes))])
    return kept


def _fit(model: keras.Model, data: Any, recipe: Recipe, **options: Any) -> None:
    try:
        model.fit(data, shuffle=False, **options)
    except Exception as error:
        # TensorFlow wraps what went wrong with a file in an error of its own; Keras drops causes.
        stop = error if isinstance(error, InputError) else data.error or why_stopped(error, recipe)
        raise stop from data.cause
