"""`fcn-tutorial train`."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from fcn_tutorial.cli.common import quiet_import
from fcn_tutorial.errors import InputError, shown
from fcn_tutorial.tables import percent


def train(
    recipe: Annotated[
        str, Argument(help="Name of a recipe (such as own or camvid), or a TOML file.")
    ],
    output: Annotated[Path | None, Option(help="Run folder. Default: runs/RECIPE.")] = None,
    data: Annotated[
        str | None, Option(help="Data set or folder of your own, in place of the recipe's.")
    ] = None,
    limit: Annotated[
        int | None, Option(min=1, help="Use only this many examples of each split.")
    ] = None,
    epochs: Annotated[int | None, Option(min=1, help="Number of epochs to train for.")] = None,
    weights: Annotated[str | None, Option(help="Weights file of the backbone.")] = None,
    change: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe; can be repeated."),
    ] = None,
    devices: Annotated[
        int, Option(min=1, help="Number of GPUs (or parts of the CPU) that share each batch.")
    ] = 1,
) -> None:
    """Train a model from a recipe, or resume the run in the output folder."""
    with quiet_import():
        from fcn_tutorial import training
        from fcn_tutorial.recipe import Recipe
        from fcn_tutorial.runs import CHECKPOINT
        from fcn_tutorial.weights import epochs_of
    options = {"dataset": data, "limit": limit, "epochs": epochs, "weights": weights}
    given = {key: value for key, value in options.items() if value is not None}
    loaded = Recipe.load(recipe, **(_changes(change or []) | given))
    if weights is not None and loaded.initial:
        raise InputError(
            f"--weights has no effect, as recipe {recipe} starts from {loaded.initial}: omit it."
        )
    if data is None and os.sep in loaded.dataset and not os.path.isdir(loaded.dataset):
        raise InputError(
            f"recipe {recipe} needs a folder, and {loaded.dataset} is missing: name it by --data."
        )
    output = output or Path("runs") / Path(recipe).stem
    before = epochs_of(output / CHECKPOINT)
    _report(training.train(loaded, output, devices=devices), output, before)


def _report(run, output, before):
    """Print what a run, which had `before` epochs behind it, has reached."""
    last = run.recipe.keep == "last"
    kept = run.history[-1] if last else max(run.history, key=lambda row: row["val_mean_iou"])
    score, epoch = kept["val_mean_iou"], kept["epoch"]
    what = "Mean IoU" if last else "Best mean IoU"
    print(f"{what} on {run.recipe.val_split}: {percent(score)} (epoch {epoch}).")
    if len(run.history) == before:
        print(f"{output} already held this run, finished: to train on, give more --epochs.")
        return
    print(f"Wrote the run to {output}: model in checkpoints/best.keras, curves in history.csv.")


def _changes(texts: list[str]) -> dict[str, Any]:
    """["epochs=2", "initial=runs/a"] -> {"epochs": 2, "initial": "runs/a"}."""
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {shown(text)} has no value: write it as KEY=VALUE.")
        try:
            read = tomllib.loads(f"value = {value}")
        except (ValueError, RecursionError):  # not TOML, or a number of endless digits
            read = {}
        # Text may omit TOML's quotation marks; several lines are not a single value.
        values[key.strip()] = read["value"] if len(read) == 1 else value
    return values
