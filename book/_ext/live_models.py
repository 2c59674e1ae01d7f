"""Sphinx extension: put the networks of the live page into book/_vendor, as files for the browser.

The three networks on the shapes are exported from their weights; the one for photographs lies in
studies/ as a file for the browser already, at half the size of its weights in 16 bits.
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
PHOTOS = ROOT / "studies" / "voc_mobilenet" / "fcn8s.tflite"
EXAMPLE = ROOT / "studies" / "voc_mobilenet" / "photos" / "astronaut.jpg"
SIDE = 256
CODE = ("layers", "upsampling", "backbones", "fcn", "export")  # what the files depend on


def fingerprint():
    """Sha256 over what the files are made from."""
    code = [PACKAGE / f"{name}.py" for name in CODE]
    digest = hashlib.sha256()
    for path in [*SHAPES.values(), *code, PHOTOS, EXAMPLE, Path(__file__)]:
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
    from fcn_tutorial.export import export

    for name in SHAPES:
        export(network(name), MODELS / f"shapes-{name}.tflite", CLASSES, PALETTE, SIDE)
    for suffix in (".tflite", ".json"):
        shutil.copy(PHOTOS.with_suffix(suffix), MODELS / f"photos-fcn8s{suffix}")
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
