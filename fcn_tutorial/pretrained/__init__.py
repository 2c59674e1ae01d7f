"""The small networks that the package carries, trained on the shapes by recipes it carries too.

Weights are stored in 16 bits. Beside FCN weights stands a JSON file with their recipe and scores.
`make weights` makes all of them anew.
"""

import json
from functools import partial
from pathlib import Path

from fcn_tutorial.backbones import restored, vgg_narrow
from fcn_tutorial.errors import check_choice
from fcn_tutorial.fcn import build_fcn

FOLDER = Path(__file__).parent
NAMES = ("classifier", "fcn32s", "fcn8s")


def load_trained(name):
    """A network trained on the shapes: "classifier" (chapter 3), "fcn32s" or "fcn8s".

    The FCNs give logits (N, H, W, 6) for images (N, H, W, 3); to train one yourself, use the recipe
    shapes_fcn32s or shapes_fcn8s. Raises InputError for another name.
    """
    check_choice("trained network", name, NAMES)
    build = partial(build_fcn, name, 6, backbone="vgg_narrow")
    model = vgg_narrow() if name == "classifier" else build()
    return restored(model, FOLDER / f"{name}.npz")


def trained_scores(name):
    """What is known of a trained FCN: dict of its recipe and its scores on held-out scenes."""
    return json.loads((FOLDER / f"{name}.json").read_text())
