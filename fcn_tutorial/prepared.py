"""What a run trains and validates on, and what its recipe leaves open about that."""

from collections.abc import Sequence
from dataclasses import replace

from fcn_tutorial.data.catalog import load_dataset, name_of
from fcn_tutorial.data.dataset import Dataset, limited
from fcn_tutorial.data.pairs import given
from fcn_tutorial.data.records import open_records
from fcn_tutorial.errors import InputError
from fcn_tutorial.recipe import Recipe
from fcn_tutorial.tables import counted

FEW = 50  # images

Data = tuple[Dataset, Dataset]


def prepared(
    recipe: Recipe,
    training: Sequence | None = None,
    validation: Sequence | None = None,
    classes: Sequence[str] | None = None,
    verbose: int = 0,
) -> tuple[Recipe, Data | None]:
    """A recipe as a run follows it, and the data where they had to be opened for that, else None.

    training, validation, classes: as for `training.train`. verbose: whether to print what was
    chosen.
    """
    data: Data | None = None
    if training is not None or validation is not None:
        train, val = given(training, validation, classes)
        recipe = replace(recipe, dataset=train.source, records="")
        recipe = replace(recipe, train_split=train.split, val_split=val.split)
        data = limited(train, recipe.limit), limited(val, recipe.limit)
    if recipe.fit_to_data:
        data = data or splits(recipe)
        recipe = fitted(recipe, *data)
        if verbose:
            print(f"{counted(len(data[0]), 'image')} to train on: {summary(recipe)}.")
    return recipe, data


def splits(recipe: Recipe) -> tuple[Dataset, Dataset]:
    """The data sets that a recipe trains and validates on."""
    name, split = recipe.dataset, recipe.train_split
    training = open_records(recipe.records) if recipe.records else load_dataset(name, split)
    if recipe.records and (training.name, training.split) != (name_of(name), split):
        raise InputError(
            f"{recipe.records} holds records of {training.name} ({training.split}), but the recipe "
            f"trains on {name} ({split}): name another folder."
        )
    validation = load_dataset(name, recipe.val_split)
    return limited(training, recipe.limit), limited(validation, recipe.limit)


def fitted(recipe: Recipe, training: Sequence, validation: Sequence) -> Recipe:
    """A recipe with what it leaves open chosen by the size of the data.

    A crop is as large as the images, in cells of stride 32, up to 256 pixels. Few images are learnt
    in a fixed number of steps: scores on a handful of images cannot tell which epoch is best.
    InputError where there is no image to train on.
    """
    if not len(training):
        raise InputError(f"{recipe.dataset} has no image to train on: add some.")
    few = len(training) + len(validation) < FEW
    looked_at = range(0, len(training), len(training) // 8 + 1)
    side = sorted(min(training[i][1].shape) for i in looked_at)[len(looked_at) // 2]
    one_pass = len(training) // recipe.batch_size
    steps = recipe.steps_per_epoch or (25 if few else min(max(one_pass, 40), 200))
    steps = max(1, one_pass) if recipe.limit else steps  # as training takes them
    return replace(
        recipe,
        crop_size=recipe.crop_size or min(max(side // 32 * 32, 32), 256),
        steps_per_epoch=steps,
        epochs=recipe.epochs or (10 if few else 40),
        keep="last" if few else "best",
        patience=0 if few else recipe.patience or 8,
        fit_to_data=False,
    )


def summary(recipe: Recipe) -> str:
    """What `fitted` has chosen, in words."""
    end = f"stops after {recipe.patience} without a better one" * bool(recipe.patience)
    start = recipe.initial or f"{recipe.backbone} with weights {recipe.weights}"
    return (
        f"crops of {counted(recipe.crop_size, 'pixel')}, {counted(recipe.epochs, 'epoch')} of "
        f"{counted(recipe.steps_per_epoch, 'step')}; {end or 'keeps the last'}; starts from {start}"
    )
