"""Recipe -> trained model: Keras `fit`, with everything a run depends on and leaves in one folder.

A run folder holds recipe.toml, environment.json, classes.json, history.csv, scores.json,
tensorboard/ and checkpoints/: best.keras (by validation mean IoU) and last.weights.h5 (weights and
optimizer, to resume from).

Source: Long, Shelhamer and Darrell 2015, section 4.3, with AdamW and a cosine schedule in place of
SGD at a fixed rate.
"""

import csv
import difflib
import importlib.metadata
import json
import math
import os
import platform
import tomllib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

import h5py
import keras
import numpy as np

from fcn_tutorial.datasets import VOID, Dataset, check_disjoint, load_dataset, overlap
from fcn_tutorial.datasets.records import open_records
from fcn_tutorial.errors import InputError
from fcn_tutorial.fcn import HEAD_LAYERS, build_fcn
from fcn_tutorial.inference import evaluate
from fcn_tutorial.metrics import Scores, constant_baseline, scores
from fcn_tutorial.pipeline import batches
from fcn_tutorial.weights import NAMES as TRAINED
from fcn_tutorial.weights import load_trained

OUTPUTS_AT_WORK = 2  # how much memory the layers' outputs take in training, in units of themselves
NOT_DECAYED = ["bias", "gamma", "beta"]
METRICS = ("pixel_accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou")
RECIPES = Path(__file__).parent / "recipes"
RESULTS = Path(__file__).parent / "results"  # a link to results/, which a wheel holds as a copy


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on; the fields of a recipe's TOML file.

    Raises InputError for a value of a wrong type or one that no training could use.
    """

    dataset: str
    train_split: str = "train"
    val_split: str = "val"
    limit: int = 0  # use only the first `limit` examples of each split; 0 = all
    allow_overlap: bool = False  # validate on examples that are trained on, too
    records: str = ""  # folder of records to read the training split from; "" = its own files

    variant: str = "fcn8s"
    backbone: str = "vgg16"
    weights: str = "imagenet"  # of the backbone: "imagenet", "shapes", "none" or a path
    # Coarser FCN to start from (staged training): a run folder, or "fcn32s" from the package.
    initial: str = ""
    dropout: float = 0.5
    enlarge: int = 1  # the network enlarges the images by this factor: 1, 2 or 4
    freeze: str = ""  # name of a layer that stays as it is, as do all layers before it
    freeze_normalization: bool = False  # also keep the means and variances it was pretrained with

    crop_size: int = 256
    scale: tuple[float, float] = (1.0, 1.0)
    flip: bool = False
    color: float = 0.0

    batch_size: int = 8
    epochs: int = 10
    steps_per_epoch: int = 0  # 0 = one pass over the training split, as always with a limit
    loss: str = "mean"  # over the pixels that are not void, or their "sum"
    # A pixel counts as its class's frequency to the power of minus this.
    class_weighting: float = 0.0
    optimizer: str = "adamw"  # "adamw", "adam" or "sgd"
    momentum: float = 0.9  # of "sgd"
    learning_rate: float = 1e-3
    # Of the pretrained layers and of all biases, as multiples of learning_rate.
    trunk_learning_rate: float = 1.0
    bias_learning_rate: float = 1.0
    # "adamw" takes it off the weights at the full rate; the others add it, times the weight, to
    # the gradient (L2). Biases and normalization are left alone.
    weight_decay: float = 0.0
    schedule: str = "cosine"  # after the warm-up: "cosine", "poly" or "constant"
    warmup_epochs: float = 0.0
    # Of the running average of the weights, which is then what is validated and kept; 0 = none.
    ema_momentum: float = 0.0
    mixed_precision: bool = False
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            value = _converted(getattr(self, field.name), field.type, repr(field.name))
            object.__setattr__(self, field.name, value)
        for name in ("crop_size", "batch_size", "epochs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name!r} must be at least 1, got {getattr(self, name)}.")
        for name in ("dropout", "momentum", "ema_momentum"):
            if getattr(self, name) >= 1:
                raise InputError(f"{name!r} must be below 1, got {getattr(self, name)}.")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name!r} must be one of {', '.join(known)}, got {getattr(self, name)!r}."
                )

    @classmethod
    def load(cls, source, **changes):
        """Read a recipe that comes with the package (by name) or a TOML file (by path).

        changes: other values for some of its fields. A file may say `extends = "NAME"`: what it
        leaves out is as in that recipe.
        Raises InputError for an unknown name, broken TOML, a misspelt key or a bad value.
        """
        return cls.from_dict(_read_recipe(source) | changes, source)

    @classmethod
    def from_dict(cls, values, where="recipe"):
        """Check names and values of the fields; `where` is named in errors."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(known)}."
                raise InputError(f"recipe {where} has an unknown key {key!r}: {hint}")
        if "dataset" not in values:
            raise InputError(f"recipe {where} has no 'dataset': say which data set to train on.")
        try:
            return cls(**values)
        except InputError as error:
            raise InputError(f"recipe {where}: {error}") from error

    def save(self, path):
        """Write the recipe as a TOML file."""
        values = {key: json.dumps(value, ensure_ascii=False) for key, value in asdict(self).items()}
        _write(path, "".join(f"{key} = {value}\n" for key, value in values.items()))


def _read_recipe(source, extended=()):
    """The fields that a recipe's file sets, and below them those of the recipe that it extends."""
    path = RECIPES / f"{source}.toml"
    if not path.is_file():
        path = Path(source)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise InputError(f"unknown recipe {str(source)!r}: use one of {known}, or a TOML file.")
    if path in extended:
        raise InputError(f"recipe {path} extends itself: end the circle.")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"recipe {path} is not valid TOML: {error}.") from error
    base = values.pop("extends", None)
    return values if base is None else _read_recipe(str(base), (*extended, path)) | values


def _converted(value, kind, name):
    """The value as a field of type `kind` holds it, where it means the same there."""
    if kind is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    if str(kind).startswith("tuple"):
        if isinstance(value, (list, tuple)) and len(value) == 2:
            return tuple(_converted(each, float, name) for each in value)
        raise InputError(f"{name} must be two numbers, got {value!r}.")
    if kind is float and _is_number(value):
        value = float(value)
    if type(value) is not kind:
        raise InputError(f"{name} must be of type {kind.__name__}, got {value!r}.")
    if kind in (int, float) and not 0 <= value < float("inf"):
        raise InputError(f"{name} must be at least 0 and finite, got {value}.")
    return value


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Run:
    """A run folder, read back: the best model and what belongs to it."""

    folder: Path
    recipe: Recipe
    model: keras.Model
    classes: tuple[str, ...]
    palette: np.ndarray
    history: list[dict]


def load_run(folder):
    """Open a run folder and load its best model.

    Raises InputError when a file that belongs to a run is missing or broken.
    """
    folder = Path(folder)
    recipe_file, best = folder / "recipe.toml", folder / "checkpoints" / "best.keras"
    for path in (recipe_file, folder / "classes.json", best):
        if not path.is_file():
            raise InputError(f"{folder} is not a finished run: {path} is missing; train it first.")
    classes, palette = _opened(folder / "classes.json", _read_legend)
    return Run(
        folder=folder,
        recipe=Recipe.load(recipe_file),
        model=_opened(best, lambda path: keras.models.load_model(path, compile=False)),
        classes=classes,
        palette=palette,
        history=_opened(folder / "history.csv", _read_history),
    )


@dataclass(frozen=True)
class Record:
    """A run of record: what `results/` keeps of a run folder, without its weights.

    scores: {file name without suffix: Scores}; "scores" is of the best epoch on the validation
    split, "scores-camvid-test" of the same model on another split.
    """

    folder: Path
    recipe: Recipe
    classes: tuple[str, ...]
    history: list[dict]
    scores: dict[str, Scores]


def run_of_record(name):
    """Read a run of record by its folder's name in `results/`, for example "camvid".

    Raises InputError when there is none of that name.
    """
    folder = RESULTS / name
    if not (folder / "recipe.toml").is_file():
        known = (path.parent.relative_to(RESULTS) for path in RESULTS.rglob("recipe.toml"))
        names = ", ".join(sorted(path.as_posix() for path in known))
        raise InputError(f"there is no run of record {str(name)!r}: use one of {names}.")
    confusions = {
        path.stem: json.loads(path.read_text())["confusion"] for path in folder.glob("scores*.json")
    }
    return Record(
        folder=folder,
        recipe=Recipe.load(folder / "recipe.toml"),
        classes=_opened(folder / "classes.json", _read_legend)[0],
        history=_opened(folder / "history.csv", _read_history),
        scores={name: scores(np.array(counts)) for name, counts in confusions.items()},
    )


def _read_legend(path):
    legend = json.loads(path.read_text())
    return tuple(legend["classes"]), np.array(legend["palette"], np.uint8)


def _opened(path, read, advice="train the run again"):
    """Read a file of a run; whatever goes wrong becomes one sentence with the path."""
    try:
        return read(path)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be loaded ({reason}): {advice}.") from error


def train(recipe, output, verbose=1):
    """Train by a recipe into the folder `output`, or go on with the run that is there.

    recipe: a name, the path of a TOML file, or a Recipe. verbose: 1 shows a progress bar, 2 a line
    an epoch, 0 nothing, as in Keras. Returns the finished `Run`.
    Raises InputError for a bad recipe or data, or when `output` holds a run by another recipe.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    folder = Path(output)
    training, validation = (
        limited(examples, recipe.limit)
        for examples in (_training_split(recipe), load_dataset(recipe.dataset, recipe.val_split))
    )
    if not recipe.allow_overlap:
        check_disjoint(training, validation)
    _check_folder(folder, recipe)
    keras.utils.set_random_seed(recipe.seed)
    one_pass = max(1, len(training) // recipe.batch_size)
    steps = one_pass if recipe.limit else recipe.steps_per_epoch or one_pass
    model = compiled_model(recipe, len(training.classes), steps)
    _check_memory(model, recipe)
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
    )
    # Only now, when the recipe is known to be usable, does it take hold of the folder.
    _describe(folder, recipe, training)
    if done < recipe.epochs:
        writer = RunFolder(folder, validation, done, overlap(training.names, validation.names))
        _fit(model, data, writer, recipe, steps, done, verbose)
    return load_run(folder)


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

    The loss is the cross-entropy on logits, averaged (or summed) over the pixels that are not void.
    """
    keras.mixed_precision.set_global_policy(
        "mixed_float16" if recipe.mixed_precision else "float32"
    )
    initial = _initial_model(recipe.initial)
    weights = None if recipe.weights == "none" else recipe.weights
    if initial is not None:
        weights = None
    model = build_fcn(
        recipe.variant,
        num_classes,
        recipe.backbone,
        weights,
        initial,
        recipe.dropout,
        recipe.enlarge,
    )
    keras.mixed_precision.set_global_policy("float32")
    _freeze(model, recipe.freeze, recipe.freeze_normalization)
    model.compile(
        optimizer=_optimizer(recipe, model, steps_per_epoch),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=VOID, reduction=CHOICES["loss"][recipe.loss]
        ),
        metrics=[
            keras.metrics.MeanIoU(
                num_classes, ignore_class=VOID, sparse_y_pred=False, name="mean_iou"
            )
        ],
    )
    return model


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
        if path in self.l2:
            gradient = gradient + self.l2[path] * keras.ops.cast(variable, gradient.dtype)
        super().update_step(gradient, variable, self.rates.get(path, 1.0) * learning_rate)


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


CHOICES = {
    "loss": {"mean": "sum_over_batch_size", "sum": "sum"},
    "optimizer": ("adamw", "adam", "sgd"),
    "schedule": {"cosine": _cosine, "poly": _poly, "constant": _constant},
}


def _optimizer(recipe, model, steps_per_epoch):
    """The recipe's optimizer: its schedule, and rates and decay variable by variable."""
    total, warmup = (int(n * steps_per_epoch) for n in (recipe.epochs, recipe.warmup_epochs))
    schedule = CHOICES["schedule"][recipe.schedule](recipe.learning_rate, max(1, total - warmup))
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
    on_gpu = any(name.startswith("gpu") for name in keras.distribution.list_devices())
    if on_gpu or weights + recipe.batch_size * image <= available:
        return
    fits = int((available - weights) / image)
    advice = f"set batch_size to {fits} or less" if fits > 0 else "choose a smaller crop_size"
    raise InputError(
        f"batch_size {recipe.batch_size} with crop_size {recipe.crop_size} needs about "
        f"{(weights + recipe.batch_size * image) / 1e9:.1f} GB of memory, and this machine has "
        f"{available / 1e9:.1f} GB: {advice}."
    )


def machine_memory():
    """Bytes of memory of this machine; infinite where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return math.inf


def _fit(model, data, writer, recipe, steps, done, verbose):
    callbacks = [
        writer,
        keras.callbacks.TensorBoard(writer.folder / "tensorboard", write_graph=False),
        keras.callbacks.TerminateOnNaN(),
    ]
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
    except Exception as error:
        # tf.data wraps what went wrong with a file in an error of its own.
        raise (data.errors[0] if data.errors else _explained(error, recipe)) from None


def _explained(error, recipe):
    """What a GPU says when its memory is full, as one sentence; any other error as it is."""
    if "RESOURCE_EXHAUSTED" not in str(error) and type(error).__name__ != "ResourceExhaustedError":
        return error
    return InputError(
        f"the memory is full with batch_size {recipe.batch_size} and crop_size "
        f"{recipe.crop_size}: set a smaller batch_size, for example "
        f"{max(1, recipe.batch_size // 2)}."
    )


class RunFolder(keras.callbacks.Callback):
    """After each epoch: validate at native resolution, then write history and checkpoints."""

    def __init__(self, folder, validation, done, shared=()):
        super().__init__()
        self.folder, self.validation, self.shared = folder, validation, shared
        self.history = _read_history(folder / "history.csv")[:done]

    def on_train_begin(self, logs=None):
        # The same layers without the optimizer: what is saved for use, and for validation.
        self.bare = keras.Model(self.model.inputs[0], self.model.outputs[0], name=self.model.name)

    def on_epoch_end(self, epoch, logs=None):
        self._check_finite(epoch + 1, logs["loss"])
        with _averaged(self.model):
            self._keep_best(epoch + 1, logs)
        _write_history(self.folder / "history.csv", self.history)
        # Last of all, since this file says up to which epoch the others are whole.
        _replace(
            self.folder / "checkpoints" / "last.weights.h5",
            partial(self._save_checkpoint, epoch + 1),
        )

    def _keep_best(self, epoch, logs):
        """Validate, add the scores to the history, and save the model if it is the best so far."""
        result = evaluate(self.bare, self.validation)
        logs["val_mean_iou"] = result.mean_iou
        logs["val_pixel_accuracy"] = result.pixel_accuracy
        best = max((row["val_mean_iou"] for row in self.history), default=-1.0)
        self.history.append({"epoch": epoch, **{k: float(v) for k, v in logs.items()}})
        checkpoints = self.folder / "checkpoints"
        checkpoints.mkdir(exist_ok=True)
        if result.mean_iou > best or not (checkpoints / "best.keras").exists():
            _replace(checkpoints / "best.keras", self.bare.save)
            more = {"epoch": epoch, "overlap": len(self.shared)}
            write_scores(self.folder / "scores.json", result, self.validation, **more)

    def _save_checkpoint(self, epochs, path):
        self.model.save_weights(path)
        # The optimizer's own count leaves out the steps that loss scaling has skipped.
        with h5py.File(path, "a") as file:
            file.attrs["epochs"] = epochs

    def _check_finite(self, epoch, loss):
        wrong = None if np.isfinite(loss) else f"the loss became {loss}"
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            wrong = wrong or "weights became NaN or infinite"
        if wrong:
            raise InputError(
                f"{wrong} in epoch {epoch}: lower learning_rate and train into another folder; "
                f"the epochs before it stay in {self.folder}."
            )


@contextmanager
def _averaged(model):
    """Within it, the weights that learn are their running averages, if the optimizer has them."""
    current = [keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    model.optimizer.finalize_variable_values(model.trainable_weights)
    try:
        yield
    finally:
        for weight, value in zip(model.trainable_weights, current, strict=True):
            weight.assign(value)


def write_scores(path, result, dataset, **more):
    """Write scores as JSON: fractions of 1, beside those of always predicting one class."""
    constant, baseline = constant_baseline(result.confusion)
    iou = [None if np.isnan(value) else value for value in result.iou]
    content = {
        "dataset": dataset.name,
        "split": dataset.split,
        "examples": len(dataset),
        **more,
        **{name: getattr(result, name) for name in METRICS},
        "iou": dict(zip(dataset.classes, iou, strict=True)),
        "baseline": {
            "always": dataset.classes[constant],
            **{name: getattr(baseline, name) for name in METRICS},
        },
        "confusion": result.confusion.tolist(),
    }
    _write(path, json.dumps(content, indent=1) + "\n")


class _Limited(Dataset):
    """The first examples of a data set, for quick runs."""

    def __init__(self, dataset, limit):
        self.dataset = dataset
        self.name, self.split = dataset.name, dataset.split
        self.classes, self.palette = dataset.classes, dataset.palette
        self.names = dataset.names[:limit]

    def image_file(self, index):
        return self.dataset.image_file(range(len(self))[index])

    def __getitem__(self, index):
        return self.dataset[range(len(self))[index]]


def limited(dataset, limit):
    """The data set, or only its first `limit` examples where limit is not 0."""
    return _Limited(dataset, limit) if limit else dataset


def _check_folder(folder, recipe):
    """Make sure that the folder is new, or holds a run by the same recipe."""
    path = folder / "recipe.toml"
    if path.is_file():
        theirs, ours = asdict(Recipe.load(path)), asdict(recipe)
        for key in ours:
            if theirs[key] != ours[key]:
                raise InputError(
                    f"{folder} holds a run with {key} = {theirs[key]!r}, but this recipe has "
                    f"{ours[key]!r}: choose another output folder."
                )
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} has files but no recipe.toml: choose a new or empty folder.")


def _describe(folder, recipe, dataset):
    """Write what the run depends on into its folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output folder {folder} cannot be made ({error.strerror}).") from error
    recipe.save(folder / "recipe.toml")
    legend = {"classes": list(dataset.classes), "palette": dataset.palette.tolist()}
    _write(folder / "classes.json", json.dumps(legend) + "\n")
    _write(folder / "environment.json", json.dumps(environment(), indent=1) + "\n")


def environment():
    """Versions of what computes, and the machine, for the record."""
    packages = ("fcn-tutorial", "tensorflow", "keras", "numpy", "pillow")
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
        "backend": keras.backend.backend(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cpus": os.cpu_count(),
    }


def _resume(model, folder, steps):
    """Load the last checkpoint, if there is one, and return how many epochs it has behind it."""
    path = folder / "checkpoints" / "last.weights.h5"
    if not path.is_file():
        return 0
    model.optimizer.build(model.trainable_variables)
    _opened(path, model.load_weights, "delete it to train from the start")
    done = _opened(path, _epochs_behind, "delete it to train from the start")
    _advance_dropout(model, done * steps)
    return done


def _epochs_behind(path):
    with h5py.File(path) as file:
        return int(file.attrs["epochs"])


def _advance_dropout(model, iterations):
    """Put dropout's random state, which no checkpoint holds, where it is after `iterations`."""
    for layer in model.layers:
        if getattr(layer, "seed_generator", None) is not None:
            state = layer.seed_generator.state
            state.assign(keras.ops.convert_to_numpy(state) + np.array([0, iterations], "uint32"))


def _read_history(path):
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    return [{**row, "epoch": int(row["epoch"])} for row in rows]


def _write_history(path, rows):
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    _write(path, "\n".join(lines) + "\n")


def _write(path, text):
    _replace(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def _replace(path, write):
    """Write a file whole or not at all: under another name first, then renamed."""
    temporary = path.with_name("unfinished-" + path.name)
    write(temporary)
    os.replace(temporary, path)
