"""What does the network for photographs learn first?

    FCN_DATA=DATA python -m studies.voc_efficientnet.steps jockey

Trains by the recipe voc_efficientnet_fcn8s and, after some of the first steps, labels photographs
of the package; labels them with the package's network too, which an earlier run by the recipe ended
with. Writes the label maps into photos/, as NAME-stepSTEP.png, and the scores against our labels
into steps.csv. DATA holds VOC and, among its lists, the two beside this script.
"""

import sys
from pathlib import Path

import keras

import fcn_tutorial as fcn
from fcn_tutorial.data.images import write_label
from fcn_tutorial.training import compiled_model
from studies.common import add_rows

RECIPE = "voc_efficientnet_fcn8s"
STEPS = (0, 10, 20, 40, 100, 140, 200, 380)


def networks(recipe, training):
    """Train by a recipe up to the last of STEPS; yield (step, its batch's loss, model)."""
    keras.utils.set_random_seed(recipe.seed)
    model = compiled_model(recipe, len(training.classes), recipe.steps_per_epoch)
    augmentation = {key: getattr(recipe, key) for key in ("scale", "flip", "color", "seed")}
    stream = fcn.batches(training, recipe.batch_size, recipe.crop_size, **augmentation)
    loss = ""
    for step in range(STEPS[-1] + 1):
        if step:
            loss = model.train_on_batch(*stream[step - 1], return_dict=True)["loss"]
        if step in STEPS:
            yield step, loss, model


def label(model, step, names, folder, loss=""):
    """Label photographs with the model of a step: maps go into folder/photos, scores into a table.

    names: of the photographs. loss: of the step's batch, before the step.
    """
    examples = fcn.load_dataset("photos", "all")
    for name in names:
        image, ours = examples[examples.names.index(name)]
        found = fcn.segment(model, image)
        write_label(folder / "photos" / f"{name}-step{step}.png", found, examples.palette)
        scores = fcn.scores(fcn.confusion_matrix(ours, found, len(examples.classes)))
        shares = {key: getattr(scores, key) for key in ("pixel_accuracy", "mean_iou")}
        shares = {key: f"{share:.4f}" for key, share in shares.items()}
        row = {"photo": name, "step": step, "loss": loss and f"{loss:.4f}", **shares}
        add_rows(folder / "steps.csv", [row])
        print(*row.values(), flush=True)


def main(names, recipe, training, folder):
    """Label photographs after some steps of a recipe, and with the network that it ended with."""
    (folder / "photos").mkdir(exist_ok=True)
    for number, (step, loss, model) in enumerate(networks(recipe, training)):
        if not number:
            (folder / "steps.csv").unlink(missing_ok=True)
        label(model, step, names, folder, loss)
    last = recipe.epochs * recipe.steps_per_epoch
    label(fcn.load_trained("voc_fcn8s"), last, names, folder)
    print(f"Wrote {folder / 'steps.csv'}.")


if __name__ == "__main__":
    recipe = fcn.Recipe.load(RECIPE)
    training = fcn.load_dataset(recipe.dataset, recipe.train_split)
    main(sys.argv[1:], recipe, training, Path(__file__).parent)
