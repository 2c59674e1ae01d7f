"""Sphinx extension: put the networks of the live page into book/_vendor, as files for the browser.

They are the networks on the shapes, and those for photographs, which share a backbone: one file
gives the scores of all three, one map below the other. A process of its own exports them while
Sphinx executes and reads the chapters.
"""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from sphinx.errors import ExtensionError
from stamps import fingerprint_of, holds

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
PACKAGE = ROOT / "fcn_tutorial"
MODELS = BOOK / "_vendor" / "live" / "models"
SHAPES = {
    "fcn32s": PACKAGE / "pretrained" / "fcn32s.npz",
    "fcn16s": ROOT / "studies" / "shapes" / "fcn16s.npz",
    "fcn8s": PACKAGE / "pretrained" / "fcn8s.npz",
}
VARIANTS = ("fcn32s", "fcn16s", "fcn8s")  # for photographs, in the order of their maps
PHOTOS = sorted((PACKAGE / "pretrained").glob("voc_fcn*"))
EXAMPLES = sorted((ROOT / "studies" / "voc_efficientnet" / "photos").glob("*.jpg"))
SIDE = 256
# What the files depend on.
CODE = ("layers", "upsampling", "weights", "trunks", "backbones", "fcn", "export")
CODE += ("data/shapes", "data/voc")  # names and colours of classes


def fingerprint():
    """Sha256 over what the files are made from."""
    code = [BOOK / "_ext" / "live_models.py", *(PACKAGE / f"{name}.py" for name in CODE)]
    return fingerprint_of(ROOT, [*SHAPES.values(), *code, *PHOTOS, *EXAMPLES])


def network(name):
    """One of the networks on the shapes."""
    from fcn_tutorial.fcn import build_fcn
    from fcn_tutorial.weights import restored

    return restored(build_fcn(name, 6, backbone="vgg_narrow"), SHAPES[name])


def photographers():
    """The networks for photographs as one: scores (N, 3 H, W, 21), FCN-32s above, FCN-8s below."""
    import keras

    from fcn_tutorial.pretrained import load_trained

    *others, finest = (load_trained(f"voc_{name}") for name in VARIANTS)
    maps = [_headed(finest, other) for other in others]
    return keras.Model(finest.input, keras.layers.Concatenate(axis=1)([*maps, finest.output]))


def _headed(network, other):
    """The scores that `other` makes of the maps of a network with the same backbone."""
    import keras

    scored = [each.name for each in other.layers if each.name.startswith("score_")]

    def maps(model):
        return [model.input, *(model.get_layer(name).input for name in scored)]

    def renamed(layer):
        return type(layer).from_config({**layer.get_config(), "name": f"{other.name}_{layer.name}"})

    def call(layer, *inputs, **options):
        called.append(layer(*inputs, **options))
        return called[-1]

    head, called = keras.Model(maps(other), other.output), []
    copy = keras.models.clone_model(head, maps(network), renamed, call)
    copy.set_weights(head.get_weights())
    return called[-1]


def fill():
    """Export and copy the files."""
    from fcn_tutorial.data.shapes import CLASSES, PALETTE
    from fcn_tutorial.data.voc import VOC
    from fcn_tutorial.export import export

    shapes = {f"shapes-{name}": (network(name), CLASSES, PALETTE) for name in SHAPES}
    photos = {"photos": (photographers(), VOC.classes, VOC.palette)}
    for name, (model, classes, palette) in (shapes | photos).items():
        _, legend = export(model, MODELS / f"{name}.tflite", classes, palette, SIDE)
        legend.rename(MODELS / f"{name}.json")
    for path in EXAMPLES:
        shutil.copy(path, MODELS)


def bring(app):
    stamp, wanted = MODELS / "made-from.sha256", fingerprint()
    if not holds(stamp, wanted):
        MODELS.mkdir(parents=True, exist_ok=True)
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        process = subprocess.Popen([sys.executable, __file__], env=quiet)
        app.connect("env-updated", partial(wait, process, stamp, wanted))


def wait(process, stamp, wanted, app, env):
    if process.wait():
        raise ExtensionError("The live page's networks were not exported: see the message above.")
    stamp.write_text(wanted)


def setup(app):
    app.connect("builder-inited", bring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    fill()
