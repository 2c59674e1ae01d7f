"""Recipe -> trained model: Keras `fit`, with everything a run depends on and leaves in one folder.

Source: Long, Shelhamer and Darrell 2015, section 4.3, with AdamW and a cosine schedule in place of
SGD at a fixed rate.
"""

import math
import os
import re
import shutil
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import keras
import numpy as np

from fcn_tutorial.data.dataset import Dataset, check_disjoint, load_dataset, overlap
from fcn_tutorial.data.pipeline import batches, names_in_batch
from fcn_tutorial.data.records import open_records
from fcn_tutorial.devices import devices as sharing
from fcn_tutorial.devices import on_gpu
from fcn_tutorial.errors import InputError
from fcn_tutorial.fcn import HEAD_LAYERS, build_fcn
from fcn_tutorial.features import KeptFeatures, check_crops
from fcn_tutorial.files import cannot_write
from fcn_tutorial.losses import CrossEntropy, CrossEntropyAndJaccard, MeanIoU
from fcn_tutorial.pretrained import NAMES as TRAINED
from fcn_tutorial.pretrained import load_trained
from fcn_tutorial.recipe import RECIPES as RECIPES
from fcn_tutorial.recipe import Recipe
from fcn_tutorial.runs import RESULTS as RESULTS
from fcn_tutorial.runs import (
    RunFolder,
    check_folder,
    describe,
    epochs_behind,
    held,
    load_checkpoint,
    load_run,
    surroundings,
)

# Files in which Linux writes how much memory a container may have, in versions 2 and 1.
CONTAINER_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
OUTPUTS_AT_WORK = 2  # how much memory the layers' outputs take in training, in units of themselves
NOT_DECAYED = ["bias", "gamma", "beta"]
LARGE_WEIGHT = 2**20  # numbers
MOST_NAMES = 16  # of examples, in a sentence


def train(recipe, output, verbose=1, devices=1):
    """Train by a recipe into the folder `output`, or go on with the run that is there.

    recipe: a name, the path of a TOML file, or a Recipe. verbose: 1 shows a progress bar, 2 a line
    an epoch, 0 nothing, as in Keras. devices: how many share each batch, those of
    other processes included (see `devices.DataParallel`). Returns the finished
    `Run`.
    Raises InputError for a bad recipe or data, when `output` holds a run by another recipe or is
    being trained in, when the loss is no number any more, when the disk does not take the files,
    or when there are not so many devices.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    folder, shared = Path(output), sharing(devices, recipe.batch_size)
    if shared.count > 1 and recipe.keep_features:
        raise InputError("keep_features works on one device: set it to false, or ask for one only.")
    if shared.process:  # number 0 holds the folder
        _train(recipe, folder, 0, shared)
    else:
        with held(folder):
            check_folder(folder, recipe)
            _train(recipe, folder, verbose, shared)
    shared.meet()
    return load_run(folder)


def _train(recipe, folder, verbose, shared):
    if epochs_behind(folder) >= recipe.epochs:
        return
    training, validation = splits(recipe)
    if not recipe.allow_overlap:
        check_disjoint(training, validation)
    keras.utils.set_random_seed(recipe.seed)
    one_pass = max(1, len(training) // recipe.batch_size)
    steps = one_pass if recipe.limit else recipe.steps_per_epoch or one_pass
    with shared.scope():
        model = compiled_model(recipe, len(training.classes), steps)
        _check_memory(model, recipe)
        _normalize_together(model, shared)
        done = _resume(model, folder, steps)
    data = batches(
        training,
        recipe.batch_size,
        recipe.crop_size,
        scale=recipe.scale,
        flip=recipe.flip,
        color=recipe.color,
        seed=recipe.seed,
        class_weights=class_weights(training, recipe.class_weighting),
        first_batch=done * steps,
        part=(shared.process, shared.processes),
    )
    kept = _kept_features(recipe, model, training, folder) if recipe.keep_features else None
    names_of = partial(names_in_batch, training, recipe.batch_size, recipe.seed)
    both = overlap(training.names, validation.names)
    callbacks = [
        FiniteLoss(lambda epoch, step: names_of(epoch * steps + step), folder, _origin(training)),
        RunFolder(folder, model, validation, done, both, kept, shared),
    ]
    if shared.process == 0:
        callbacks += [keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)]
        # Only now, when the recipe is known to be usable, does it take hold of the folder.
        around = {**surroundings(training, validation), "devices": shared.count}
        describe(folder, recipe, training, around, done)
    learning = model
    if kept:
        data = kept.batches(data, len(training), recipe.batch_size, progress=verbose == 1)
        learning = kept.head
    with shared.training():
        _fit(learning, data, callbacks, recipe, steps, done, verbose)
    if kept:
        shutil.rmtree(kept.folder, ignore_errors=True)


def _kept_features(recipe, model, dataset, folder):
    """The model cut behind its frozen layers, with what is behind them compiled as the model is."""
    check_crops(dataset, recipe.crop_size)
    kept = KeptFeatures(model, recipe.freeze, folder / "features")
    model.optimizer.build(model.trainable_variables)
    kept.head.compile(model.optimizer, model.loss, metrics=[MeanIoU(len(dataset.classes))])
    return kept


def _normalize_together(model, shared):
    """Let batch normalization see the whole batch where TensorFlow splits it."""
    if shared.count > 1 and keras.backend.backend() == "tensorflow":
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True


def splits(recipe):
    """The data sets that a recipe trains and validates on.

    Raises InputError when they are not there.
    """
    validation = load_dataset(recipe.dataset, recipe.val_split)
    return limited(_training_split(recipe), recipe.limit), limited(validation, recipe.limit)


def _training_split(recipe):
    """The split to train on, from records where the recipe names a folder of them."""
    if not recipe.records:
        return load_dataset(recipe.dataset, recipe.train_split)
    records = open_records(recipe.records)
    if (records.name, records.split) != (recipe.dataset, recipe.train_split):
        raise InputError(
            f"{recipe.records} holds records of {records.name} ({records.split}), but the recipe "
            f"trains on {recipe.dataset} ({recipe.train_split}): name another folder."
        )
    return records


def compiled_model(recipe, num_classes, steps_per_epoch):
    """The recipe's model with its loss, optimizer and training metric.

    The loss is the cross-entropy on logits, averaged (or summed) over the pixels that are not void,
    and with `jaccard` the soft Jaccard index beside it.
    """
    with _layers_in(mixed_policy() if recipe.mixed_precision else "float32"):
        initial = _initial_model(recipe.initial)
        weights = None if initial is not None or recipe.weights == "none" else recipe.weights
        model = build_fcn(
            recipe.variant,
            num_classes,
            recipe.backbone,
            weights,
            initial,
            recipe.dropout,
            recipe.enlarge,
            recipe.fc6_dilation,
        )
    _freeze(model, recipe.freeze, recipe.freeze_normalization)
    model.compile(
        optimizer=_optimizer(recipe, model, steps_per_epoch),
        loss=_loss(recipe),
        metrics=[MeanIoU(num_classes)],
    )
    return model


@contextmanager
def _layers_in(policy):
    """Within it, new layers compute as Keras's policy of that name says."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def mixed_policy():
    """Keras's name for computing in 16 bits with weights in 32, as this machine does it best.

    A GPU takes float16, whose gradients Keras scales. A processor has instructions for bfloat16
    only, which reaches as far as float32 and needs no scaling.
    """
    return "mixed_float16" if on_gpu() else "mixed_bfloat16"


def class_weights(dataset, power):
    """Weight of a pixel of each class: the class's frequency to the power of -power, float32 (C,).

    Scaled so that the mean over the data set's pixels is 1; a class without any pixel weighs 1.
    None for power 0, where all weigh the same and no label needs to be read.
    """
    if not power:
        return None
    counts = sum(np.bincount(label.ravel(), minlength=256) for _, label in dataset)
    counts = counts[: len(dataset.classes)]
    share = counts / counts.sum()
    weights = np.where(counts, np.maximum(share, 1e-12) ** -power, 0)
    return np.where(counts, weights / (weights @ share), 1).astype(np.float32)


def _freeze(model, last, normalization):
    """Keep layers from learning: those up to the layer named `last`, and normalization if asked."""
    names = [layer.name for layer in model.layers]
    if last and last not in names:
        raise InputError(f"'freeze' names no layer of {model.name}: {last!r}; see model.summary().")
    for layer in model.layers[: names.index(last) + 1 if last else 0]:
        layer.trainable = False
    for layer in model.layers if normalization else ():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _initial_model(source):
    """The model of a run folder, or one that the package carries; None where none is asked for."""
    if not source:
        return None
    return load_trained(source) if source in TRAINED else load_run(source).model


class Discriminative:
    """Mixin for a Keras optimizer: another rate, or L2, for some of the variables (by path).

    rates: {path: multiple of the learning rate}. l2: {path: multiple of the weight that is added
    to its gradient}.
    """

    def __init__(self, *args, rates=None, l2=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.rates, self.l2 = rates or {}, l2 or {}

    def update_step(self, gradient, variable, learning_rate):
        path = self._trainable_variables[self._get_variable_index(variable)].path
        rate, l2 = self.rates.get(path, 1.0), self.l2.get(path, 0.0)
        one_step = super().update_step

        def update():
            decay = l2 * keras.ops.cast(variable, gradient.dtype) if l2 else 0.0
            one_step(gradient + decay, variable, rate * learning_rate)

        _in_one_pass(update, variable)()


def _in_one_pass(update, variable):
    """Let TensorFlow fuse the update of a large weight, whose time is that of reading memory.

    Adam takes a dozen steps; one by one, each of them goes through all the weight's numbers.
    """
    if keras.backend.backend() != "tensorflow" or math.prod(variable.shape) < LARGE_WEIGHT:
        return update
    import tensorflow as tf

    return tf.function(update, jit_compile=True)


class DiscriminativeAdamW(Discriminative, keras.optimizers.AdamW):
    """AdamW with a rate of its own for some variables."""


class DiscriminativeAdam(Discriminative, keras.optimizers.Adam):
    """Adam with a rate and L2 of its own for some variables."""


class DiscriminativeSGD(Discriminative, keras.optimizers.SGD):
    """SGD with a rate and L2 of its own for some variables."""


@keras.saving.register_keras_serializable("fcn_tutorial")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """The rate grows linearly over `steps`, up to where `schedule` then starts."""

    def __init__(self, schedule, steps):
        self.schedule, self.steps = schedule, steps

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        grown = keras.ops.minimum(step / max(1, self.steps), 1.0) if self.steps else 1.0
        return grown * self.schedule(keras.ops.maximum(step - self.steps, 0.0))

    def get_config(self):
        return {"schedule": self.schedule, "steps": self.steps}


def _cosine(rate, steps):
    return keras.optimizers.schedules.CosineDecay(rate, steps)


def _poly(rate, steps):
    return keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0, power=0.9)


def _constant(rate, steps):
    return keras.optimizers.schedules.PolynomialDecay(rate, steps, rate)


def _loss(recipe):
    reduction = REDUCTIONS[recipe.loss]
    if recipe.jaccard:
        return CrossEntropyAndJaccard(recipe.jaccard, reduction=reduction)
    return CrossEntropy(reduction)


REDUCTIONS = {"mean": "sum_over_batch_size", "sum": "sum"}
SCHEDULES = {"cosine": _cosine, "poly": _poly, "constant": _constant}


def _optimizer(recipe, model, steps_per_epoch):
    """The recipe's optimizer: its schedule, and rates and decay variable by variable."""
    total, warmup = (int(n * steps_per_epoch) for n in (recipe.epochs, recipe.warmup_epochs))
    schedule = SCHEDULES[recipe.schedule](recipe.learning_rate, max(1, total - warmup))
    schedule = WarmUp(schedule, warmup)
    head = {w.path for name in _new_layers(recipe) for w in _weights_of(model, name)}
    rates, decays = {}, {}
    for weight in model.trainable_weights:
        name = weight.path.rpartition("/")[2]
        trunk = 1.0 if weight.path in head else recipe.trunk_learning_rate
        rates[weight.path] = trunk * (recipe.bias_learning_rate if name == "bias" else 1.0)
        if name not in NOT_DECAYED:
            decays[weight.path] = recipe.weight_decay
    average = {}
    if recipe.ema_momentum:
        average = {"use_ema": True, "ema_momentum": recipe.ema_momentum}
    if recipe.optimizer == "sgd":
        more = {"momentum": recipe.momentum, "l2": decays}
        return DiscriminativeSGD(schedule, rates=rates, **more, **average)
    if recipe.optimizer == "adam":
        return DiscriminativeAdam(schedule, rates=rates, l2=decays, **average)
    decay = recipe.weight_decay
    optimizer = DiscriminativeAdamW(schedule, weight_decay=decay, rates=rates, **average)
    optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    return optimizer


def _new_layers(recipe):
    """Names of the layers that are not pretrained: a VGG brings fc6 and fc7, MobileNet does not."""
    return [n for n in HEAD_LAYERS if n.startswith("score") or recipe.backbone == "mobilenet"]


def _weights_of(model, name):
    return [w for layer in model.layers if layer.name == name for w in layer.weights]


def memory_needed(model, recipe):
    """About how many bytes training takes: (for the weights, for each image of a batch).

    A weight is kept four times (itself, its gradient, two averages of the optimizer); what the
    layers put out is kept for the backward pass, and as much again is at work.
    """
    crop = keras.KerasTensor((1, recipe.crop_size, recipe.crop_size, 3))
    every_layer = keras.Model(model.inputs[0], [layer.output for layer in model.layers])
    numbers = sum(math.prod(each.shape) for each in every_layer.compute_output_spec(crop))
    return 4 * 4 * model.count_params(), OUTPUTS_AT_WORK * 4 * numbers


def _check_memory(model, recipe):
    """Refuse a batch that cannot fit, before the system ends the process without a word."""
    weights, image = memory_needed(model, recipe)
    available = machine_memory()
    if on_gpu() or weights + recipe.batch_size * image <= available:
        return
    fits = int((available - weights) / image)
    advice = f"set batch_size to {fits} or less" if fits > 0 else "choose a smaller crop_size"
    raise InputError(
        f"batch_size {recipe.batch_size} with crop_size {recipe.crop_size} needs about "
        f"{(weights + recipe.batch_size * image) / 1e9:.1f} GB of memory, and this machine has "
        f"{available / 1e9:.1f} GB: {advice}."
    )


def machine_memory():
    """Bytes of memory of this machine or container; infinite where the system does not say."""
    sizes = [math.inf]
    with suppress(AttributeError, ValueError, OSError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in CONTAINER_LIMITS:
        with suppress(ValueError, OSError):  # no limit is the word "max"
            sizes.append(int(Path(file).read_text()))
    return min(sizes)


class FiniteLoss(keras.callbacks.Callback):
    """Stops at the first batch after which the loss is no number, and names the batch's examples.

    names_of: gives them for (epoch, step), both from 0. folder: what stays, and origin: where the
    examples' files are, for the sentence. Raises InputError.
    """

    def __init__(self, names_of, folder, origin=""):
        super().__init__()
        self.names_of, self.folder, self.origin = names_of, folder, origin

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        # Keras gives the mean over the epoch so far, which stays NaN or infinite once it is.
        if np.isfinite(logs["loss"]):
            return
        names = self.names_of(self.epoch, batch)
        listed = ", ".join(names[:MOST_NAMES]) + ", ..." * (len(names) > MOST_NAMES)
        raise InputError(
            f"the loss became {logs['loss']} in epoch {self.epoch + 1}, step {batch + 1} (batch of "
            f"{listed}{self.origin}): lower learning_rate, or look at these examples, and train "
            f"into another folder; the epochs before it stay in {self.folder}."
        )


def _origin(dataset):
    """ " in FOLDER" where the data set's images are files, for a sentence that names some."""
    file = dataset.image_file(0)
    return f" in {file.parent}" if file else ""


def _fit(model, data, callbacks, recipe, steps, done, verbose):
    try:
        model.fit(
            data,
            epochs=recipe.epochs,
            initial_epoch=done,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,
            verbose=verbose,
        )
    except InputError:
        raise
    except Exception as error:
        # tf.data wraps what went wrong with a file in an error of its own.
        raise (data.errors[0] if data.errors else _explained(error, recipe)) from None


def _explained(error, recipe):
    """What is said of a full disk or a full GPU, as one sentence; any other error as it is."""
    # TensorFlow has one error for both, and names the file in its text.
    if written := re.search(r"(\S*/tensorboard/?\S*); ([^[\n]+)", str(error)):
        return cannot_write(*written.groups())
    full = type(error).__name__ in ("ResourceExhaustedError", "OutOfMemoryError")
    if not full and "RESOURCE_EXHAUSTED" not in str(error):
        return error
    return InputError(
        f"the memory is full with batch_size {recipe.batch_size} and crop_size "
        f"{recipe.crop_size}: set a smaller batch_size, for example "
        f"{max(1, recipe.batch_size // 2)}."
    )


class _Limited(Dataset):
    """The first examples of a data set, for quick runs."""

    def __init__(self, dataset, limit):
        self.dataset = dataset
        self.name, self.split = dataset.name, dataset.split
        self.classes, self.palette = dataset.classes, dataset.palette
        self.names = dataset.names[:limit]

    def image_file(self, index):
        return self.dataset.image_file(range(len(self))[index])

    def label_file(self, index):
        return self.dataset.label_file(range(len(self))[index])

    def stamp(self, index):
        return self.dataset.stamp(range(len(self))[index])

    def encoded(self, index):
        return self.dataset.encoded(range(len(self))[index])

    def __getitem__(self, index):
        return self.dataset[range(len(self))[index]]


def limited(dataset, limit):
    """The data set, or only its first `limit` examples where limit is not 0."""
    return _Limited(dataset, limit) if limit else dataset


def _resume(model, folder, steps):
    """Load the last checkpoint, if there is one, and return how many epochs it has behind it."""
    done = load_checkpoint(folder, model)
    _advance_dropout(model, done * steps)
    return done


def _advance_dropout(model, iterations):
    """Put dropout's random state, which no checkpoint holds, where it is after `iterations`."""
    for layer in model.layers:
        if getattr(layer, "seed_generator", None) is not None:
            state = layer.seed_generator.state
            state.assign(keras.ops.convert_to_numpy(state) + np.array([0, iterations], "uint32"))
