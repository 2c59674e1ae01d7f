"""Sphinx extension: put the networks of the live page into book/_vendor, as files for the browser.

They are the networks on the shapes and the one for photographs, exported from their weights.
"""

import hashlib
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
PACKAGE = ROOT / "fcn_tutorial"
MODELS = BOOK / "_vendor" / "live" / "models"
SHAPES = {
    "fcn32s": PACKAGE / "pretrained" / "fcn32s.npz",
    "fcn16s": ROOT / "studies" / "shapes" / "fcn16s.npz",
    "fcn8s": PACKAGE / "pretrained" / "fcn8s.npz",
}
PHOTOS = [PACKAGE / "pretrained" / f"voc_fcn8s{suffix}" for suffix in (".npz", ".json")]
EXAMPLE = ROOT / "studies" / "voc_mobilenet" / "photos" / "astronaut.jpg"
SIDE = 256
CODE = (
    "layers",
    "upsampling",
    "efficientnet",
    "backbones",
    "fcn",
    "export",
)  # what the files depend on


def fingerprint():
    """Sha256 over what the files are made from."""
    code = [PACKAGE / f"{name}.py" for name in CODE]
    digest = hashlib.sha256()
    for path in [*SHAPES.values(), *code, *PHOTOS, EXAMPLE, Path(__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def network(name):
    """One of the networks on the shapes."""
    from fcn_tutorial.fcn import build_fcn
    from fcn_tutorial.weights import restored

    return restored(build_fcn(name, 6, backbone="vgg_narrow"), SHAPES[name])


def fill():
    """Export and copy the files."""
    from fcn_tutorial.data.shapes import CLASSES, PALETTE
    from fcn_tutorial.data.voc import VOC
    from fcn_tutorial.export import export
    from fcn_tutorial.pretrained import load_trained

    shapes = {f"shapes-{name}": (network(name), CLASSES, PALETTE) for name in SHAPES}
    photos = {"photos-fcn8s": (load_trained("voc_fcn8s"), VOC.classes, VOC.palette)}
    for name, (model, classes, palette) in (shapes | photos).items():
        _, legend = export(model, MODELS / f"{name}.tflite", classes, palette, SIDE)
        legend.rename(MODELS / f"{name}.json")
    shutil.copy(EXAMPLE, MODELS / "example.jpg")


def bring(app):
    stamp, wanted = MODELS / "made-from.sha256", fingerprint()
    if not (stamp.is_file() and stamp.read_text() == wanted):
        MODELS.mkdir(parents=True, exist_ok=True)
        fill()
        stamp.write_text(wanted)


def setup(app):
    app.connect("builder-inited", bring, priority=600)  # after vendor, which empties the folder
    return {"parallel_read_safe": True, "parallel_write_safe": True}
