"""A recipe: everything that a training run depends on, as a TOML file holds it."""

import difflib
import json
import os
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, create_model

from fcn_tutorial.errors import InputError, shown
from fcn_tutorial.files import read_small, write_text

RECIPES = Path(__file__).parent / "recipes"
MOST = 2**31 - 1

Text = Annotated[str, BeforeValidator(lambda v: os.fspath(v) if isinstance(v, os.PathLike) else v)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[int, Field(ge=1, le=MOST)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Scale = Annotated[float, Field(ge=1 / 16, le=16)]  # beyond: a crop of one pixel, or out of memory
Scales = Annotated[tuple[Scale, Scale], Field(strict=False)]
NamedWeight = Annotated[tuple[Text, Number], Field(strict=False)]
NamedWeights = Annotated[tuple[NamedWeight, ...], Field(strict=False)]


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on; the fields of a recipe's TOML file.

    Raises:
        InputError: a value has the wrong type, or no training could use it.
    """

    dataset: Text
    train_split: Text = "train"
    val_split: Text = "val"
    limit: Count = 0  # use only the first `limit` examples of each split; 0 = all
    allow_overlap: bool = False  # allow validation on examples that are trained on
    records: Text = ""  # folder of records to read the training split from; "" = its own files

    variant: Text = "fcn8s"
    backbone: Text = "vgg16"  # a name, or the .keras file of a classifier, as for build_fcn
    preprocessing: Text = ""  # of a .keras file that does not do it: "caffe", "tf" or "torch"
    weights: Text = "imagenet"  # of the backbone: "imagenet", "shapes", "none" or a path
    # Coarser FCN to start from (staged training): a run folder, or "fcn32s" from the package.
    initial: Text = ""
    dropout: Share = 0.5
    enlarge: Count = 1  # the network enlarges the images by this factor: 1, 2 or 4
    fc6_dilation: Count = 1  # distance between the cells of fc6's kernel, at most 32
    freeze: Text = ""  # name of the last layer that does not learn; none before it does
    freeze_normalization: bool = False  # also keep the means and variances it was pretrained with
    # Compute the frozen layers once for each image and keep their output in files: needs complete
    # images without augmentation, and no dropout.
    keep_features: bool = False

    crop_size: Count = 256
    scale: Scales = (1.0, 1.0)
    flip: bool = False
    color: Number = 0.0

    batch_size: Positive = 8
    epochs: Count = 10
    steps_per_epoch: Count = 0  # 0 = one pass over the training split, as always with a limit
    loss: Literal["mean", "sum"] = "mean"  # over the pixels that are not void
    # A pixel's weight is its class's frequency to the power of minus this.
    class_weighting: Number = 0.0
    class_weights: NamedWeights = ()  # factors on top of that: [["leaf", 2.0], ["stem", 5.0]]
    jaccard: Number = 0.0  # times 1 - soft Jaccard index, a soft mean IoU, is added to the loss
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: Share = 0.9  # of "sgd"
    learning_rate: Number = 1e-3
    # Of the pretrained layers and of all biases, as multiples of learning_rate.
    trunk_learning_rate: Number = 1.0
    bias_learning_rate: Number = 1.0
    # "adamw" subtracts it from the weights at the full rate; the others add it, times the weight,
    # to the gradient (L2). Biases and normalization do not decay.
    weight_decay: Number = 0.0
    schedule: Literal["cosine", "poly", "constant"] = "cosine"  # after the warm-up
    warmup_epochs: Number = 0.0
    # Of a running average of the weights, which is then validated and saved; 0 = no average.
    ema_momentum: Share = 0.0
    keep: Literal["best", "last"] = "best"  # the epoch whose model is kept
    patience: Count = 0  # stop when so many epochs have brought no better one; 0 = never
    fit_to_data: bool = False  # choose what is 0 by the data, and keep and patience too
    mixed_precision: bool = False  # layers compute in 16 bits: float16 on a GPU, else bfloat16
    fast: bool = True  # quicker ways to the same results; false = Keras's own layers and loss only
    seed: Count = 0

    def __post_init__(self) -> None:
        kinds: dict[str, Any] = {field.name: (field.type, ...) for field in fields(self)}
        try:
            checked = create_model("Values", __config__={"strict": True}, **kinds)(**vars(self))
        except ValidationError as error:
            fault = error.errors()[0]
            key, reason = fault["loc"][0], fault["msg"][0].lower() + fault["msg"][1:]
            value = shown(getattr(self, str(key)))
            raise InputError(f"{key!r} cannot be {value}: {reason}.") from error
        for name, value in checked:
            object.__setattr__(self, name, value)
        for key in ("crop_size", "epochs"):
            if not getattr(self, key) and not self.fit_to_data:
                raise InputError(f"{key!r} cannot be 0: give at least 1, or fit_to_data = true.")
        augmented = self.scale != (1.0, 1.0) or self.flip or self.color
        if self.keep_features and (not self.freeze or self.dropout or augmented):
            raise InputError(
                "'keep_features' needs a layer in 'freeze', dropout = 0, scale = [1, 1], flip = "
                "false and color = 0: otherwise the features change."
            )

    @classmethod
    def load(cls, source: str | os.PathLike, /, **changes: Any) -> "Recipe":
        """Read a recipe.

        Args:
            source: the name of a recipe that comes with the package, or a TOML file. A file may say
                `extends = "NAME"`: that recipe, or file beside it, then supplies what the file
                leaves out.
            **changes: other values for some fields.

        Raises:
            InputError: the name is unknown, the TOML broken, a key misspelt or a value unusable.
        """
        return cls.from_dict(_read_recipe(source) | changes, source)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str | os.PathLike = "recipe") -> "Recipe":
        """Make a recipe from the values of its fields; errors name `where` they come from."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(known)}."
                raise InputError(f"recipe {where} has an unknown key {shown(key)}: {hint}")
        if "dataset" not in values:
            raise InputError(f"recipe {where} has no 'dataset': name the data set to train on.")
        try:
            return cls(**values)
        except InputError as error:
            raise InputError(f"recipe {where}: {error}") from error

    def architecture(self) -> dict[str, Any]:
        """The arguments with which `build_fcn` builds the recipe's network, its weights aside."""
        keys = ("variant", "backbone", "dropout", "enlarge", "fc6_dilation")
        options = {key: getattr(self, key) for key in keys}
        return {**options, "preprocessing": self.preprocessing or None}

    def save(self, path: str | os.PathLike) -> None:
        """Write the recipe as a TOML file."""
        write_text(path, self.text())

    def text(self) -> str:
        """The recipe in TOML."""
        values = {key: json.dumps(value, ensure_ascii=False) for key, value in asdict(self).items()}
        return "".join(f"{key} = {value}\n" for key, value in values.items())


def _read_recipe(source: str | os.PathLike, extended: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The values in a recipe's file, on top of those of the recipe that it extends."""
    path = RECIPES / f"{source}.toml"
    if not os.path.isfile(path):
        path = Path(source)
    if not os.path.isfile(path):
        known = [file.stem for file in RECIPES.glob("*.toml")]
        near = difflib.get_close_matches(str(source), known)
        names = ", ".join([*near, f"another name in {RECIPES}"])
        raise InputError(f"unknown recipe {str(source)!r}: use {names}, or a TOML file.")
    place = path.resolve()
    if place in extended:
        raise InputError(f"recipe {path} extends itself: remove the cycle.")
    values = read_small(path, tomllib.loads, "make it a valid TOML file that you may read")
    base = values.pop("extends", None)
    if base is None:
        return values
    beside = path.parent / str(base)
    return _read_recipe(beside if beside.is_file() else str(base), (*extended, place)) | values
