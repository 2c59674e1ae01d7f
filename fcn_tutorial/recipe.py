"""A recipe: everything that a training run depends on, as a TOML file holds it."""

import difflib
import json
import math
import os
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fcn_tutorial.errors import InputError, reason_of
from fcn_tutorial.files import write_text

MOST = 2**31 - 1
SCALES = (1 / 16, 16.0)  # smallest and largest: beyond, a crop is a pixel, or larger than memory
RECIPES = Path(__file__).parent / "recipes"
CHOICES = {
    "loss": ("mean", "sum"),
    "optimizer": ("adamw", "adam", "sgd"),
    "schedule": ("cosine", "poly", "constant"),
}


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
    fc6_dilation: int = 1  # the cells of fc6's kernel lie so many cells apart, at most 32
    freeze: str = ""  # name of a layer that stays as it is, as do all layers before it
    freeze_normalization: bool = False  # also keep the means and variances it was pretrained with
    # Compute what the frozen layers give once for each image, and keep it in files: needs whole
    # images without augmentation, and no dropout.
    keep_features: bool = False

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
    jaccard: float = 0.0  # times 1 - soft Jaccard index, a soft mean IoU, is added to the loss
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
    mixed_precision: bool = False  # layers compute in 16 bits: float16 on a GPU, else bfloat16
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            value = _converted(getattr(self, field.name), field.type, repr(field.name))
            object.__setattr__(self, field.name, value)
        for name in ("crop_size", "batch_size", "epochs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name!r} must be at least 1, got {getattr(self, name)}.")
        if not all(SCALES[0] <= each <= SCALES[1] for each in self.scale):
            raise InputError(f"'scale' must lie between 1/16 and 16, got {list(self.scale)}.")
        for name in ("dropout", "momentum", "ema_momentum"):
            if getattr(self, name) >= 1:
                raise InputError(f"{name!r} must be below 1, got {getattr(self, name)}.")
        augmented = self.scale != (1.0, 1.0) or self.flip or self.color
        if self.keep_features and (not self.freeze or self.dropout or augmented):
            raise InputError(
                "'keep_features' needs a layer in 'freeze', dropout = 0, scale = [1, 1], flip = "
                "false and color = 0: otherwise the features change."
            )
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name!r} must be one of {', '.join(known)}, got {getattr(self, name)!r}."
                )

    @classmethod
    def load(cls, source, /, **changes):
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
        except (ValueError, OverflowError) as error:  # Python's own for numbers of endless digits
            raise InputError(f"recipe {where}: {reason_of(error)}") from error

    def save(self, path):
        """Write the recipe as a TOML file."""
        values = {key: json.dumps(value, ensure_ascii=False) for key, value in asdict(self).items()}
        write_text(path, "".join(f"{key} = {value}\n" for key, value in values.items()))


def _read_recipe(source, extended=()):
    """The fields that a recipe's file sets, and below them those of the recipe that it extends."""
    path = RECIPES / f"{source}.toml"
    if not os.path.isfile(path):
        path = Path(source)
    if not os.path.isfile(path):
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise InputError(f"unknown recipe {str(source)!r}: use one of {known}, or a TOML file.")
    if path in extended:
        raise InputError(f"recipe {path} extends itself: end the circle.")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"recipe {path} is not valid TOML: {reason_of(error)}.") from error
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
    if kind is int and value > MOST:
        digits = math.floor(math.log10(value)) + 1
        raise InputError(f"{name} must be at most {MOST:,}, got a number of {digits} digits.")
    return value


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)
