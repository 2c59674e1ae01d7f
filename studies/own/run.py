"""How good does a network get in minutes on twenty pictures of your own?

    FCN_DATA=DATA python -m studies.own.run FOLDER

writes FOLDER/few, with images, masks and a dataset.toml that merges classes, from every 18th
training image of CamVid, and FOLDER/many from its 233 test images. The names of the few have a
space and a number without zeros, as the names of pictures have. Then it does for three seeds what
`fcn-tutorial train own --data few --set seed=SEED` and `evaluate` do in that folder.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import VOID
from fcn_tutorial.data.images import write_image
from fcn_tutorial.runs import write_scores
from studies.common import keep

FEW, EVERY = 20, 18
SEEDS = (0, 1, 2)
CAMVID_VOID = 11
CLASSES = """void = 11
[classes]
way = [3, 4]
nature = [0, 5]
things = [1, 2, 6, 7, 8, 9, 10]
"""


def write_folder(folder, examples):
    """A folder of pictures from {name: (image, label)}."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, (image, label) in examples.items():
        write_image(folder / "images" / f"{name}.png", image)
        mask = np.where(label == VOID, CAMVID_VOID, label).astype(np.uint8)
        write_image(folder / "masks" / f"{name}.png", mask)
    (folder / "dataset.toml").write_text(CLASSES)


def write_folders(folder):
    train, test = fcn.load_dataset("camvid", "train"), fcn.load_dataset("camvid", "test")
    few = {f"Strasse {k + 1}": train[k * EVERY] for k in range(FEW)}
    write_folder(folder / "few", few)
    write_folder(folder / "many", dict(zip(test.names, test, strict=True)))
    (folder / "many" / "test.txt").write_text("".join(f"{name}.png\n" for name in test.names))


def main(folder):
    study = Path(__file__).resolve().parent
    write_folders(folder)
    os.chdir(folder)
    many = fcn.load_dataset("many", "test")
    for seed in SEEDS:
        started = time.monotonic()
        run = fcn.train(fcn.Recipe.load("own", dataset="few", seed=seed), f"own_seed{seed}")
        minutes = round((time.monotonic() - started) / 60)
        result = fcn.evaluate(run.model, many, progress=True)
        write_scores(run.folder / "scores-many-test.json", result, many)
        keep(study, run.folder, minutes=minutes)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
