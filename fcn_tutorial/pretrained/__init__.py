"""The small networks that the package carries, trained on the shapes by recipes it carries too.

Weights are stored in 16 bits. Beside the weights of an FCN stands a JSON file with its recipe and
scores. `make weights` trains all of them again.
"""

import json
from typing import Any

import keras

from fcn_tutorial.backbones import vgg_narrow
from fcn_tutorial.errors import check_choice
from fcn_tutorial.fcn import build_fcn
from fcn_tutorial.weights import SHIPPED, restored

NAMES = ("classifier", "fcn32s", "fcn8s")


def load_trained(name: str) -> keras.Model:
    """A network trained on the shapes; the recipes shapes_fcn32s and shapes_fcn8s train the FCNs.

    Args:
        name: "classifier" (chapter 3), "fcn32s" or "fcn8s".

    Returns:
        The model. The FCNs give logits (N, H, W, 6) for images (N, H, W, 3) in 0..255.

    Raises:
        InputError: there is no network of that name.
    """
    check_choice("trained network", name, NAMES)
    model = vgg_narrow() if name == "classifier" else build_fcn(name, 6, backbone="vgg_narrow")
    return restored(model, SHIPPED / f"{name}.npz")


def trained_scores(name: str) -> dict[str, Any]:
    """What is known of a trained FCN: its recipe and its scores on held-out scenes."""
    return json.loads((SHIPPED / f"{name}.json").read_text())
