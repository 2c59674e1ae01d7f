"""The networks that the package carries, in 8 or 16 bits.

Two classifiers, and FCNs trained on the shapes and on photographs. Beside the weights of an FCN
stands a JSON file with its recipe, classes, colours and scores; LICENSES.md says where all of them
come from.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras

from fcn_tutorial.backbones import vgg_narrow
from fcn_tutorial.errors import check_choice, explained
from fcn_tutorial.fcn import build_fcn
from fcn_tutorial.recipe import Recipe
from fcn_tutorial.trunks import efficientnet_lite0
from fcn_tutorial.weights import ADVICE, SHIPPED, restored

CLASSIFIERS: dict[str, Callable[[], keras.Model]] = {
    "classifier": vgg_narrow,
    "efficientnet_lite0": partial(efficientnet_lite0, 1000),
}
FCNS = tuple(sorted(path.stem for path in SHIPPED.glob("*.json")))
NAMES = (*CLASSIFIERS, *FCNS)


def load_trained(name: str) -> keras.Model:
    """A trained network that comes with the package.

    Args:
        name: of an FCN: "fcn32s" and "fcn8s" of the shapes' 6 classes, "voc_fcn8s" of VOC's 21,
            "voc_fcn16s" and "voc_fcn32s" with the same backbone and score layers of their own.
            Of a classifier: "efficientnet_lite0" (ImageNet, see `imagenet_classes`) or
            "classifier" (single shapes, chapter 3).

    Returns:
        The model, for images (N, H, W, 3) in 0..255. FCNs give logits (N, H, W, C) for any size,
        classifiers logits (N, C).

    Raises:
        InputError: there is no network of that name.
    """
    check_choice("trained network", name, NAMES)
    if name in CLASSIFIERS:
        return restored(CLASSIFIERS[name](), SHIPPED / f"{name}.npz")
    return load_network(SHIPPED / f"{name}.json")[0]


def load_network(path: Path) -> tuple[keras.Model, dict[str, Any]]:
    """An FCN, and what its JSON file knows of it; the weights lie beside that file.

    Known are its recipe, classes, palette, files of weights and scores. InputError where one of the
    files is missing or broken.
    """
    with explained(f"{path} cannot be loaded", ADVICE):
        facts = json.loads(path.read_text(encoding="utf-8"))
        facts["recipe"] = recipe = Recipe.from_dict(facts["recipe"], path)
        model = build_fcn(num_classes=len(facts["classes"]), **recipe.architecture())
        return restored(model, *(path.parent / file for file in facts["weights"])), facts


def imagenet_classes() -> list[str]:
    """The names of ImageNet's 1,000 classes, in the order of the classifier's logits."""
    return (SHIPPED / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
