"""Draw the course map, FCN-8s on VGG-16: python tools/course_map.py

It stores the drawing for `diagrams.course_map` and, as a picture, for the book's first page.
"""

import json
from dataclasses import asdict
from pathlib import Path

import fcn_tutorial as fcn
from fcn_tutorial import diagrams, plotting
from fcn_tutorial.diagrams.networks import COURSE_MAP

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "book" / "_static" / "course-map.svg"
PHOTO = "jockey"
SIDE = 224  # pixels of an image of ImageNet
WIDTH = 720  # pixels of the map at the head of a chapter


def course_map():
    """The drawing of FCN-8s on VGG-16, with a photograph and its label."""
    photos = fcn.load_dataset("photos", "all")
    photo, label = photos[photos.names.index(PHOTO)]
    pictures = photo, plotting.colorize(label, photos.palette)
    model = fcn.build_fcn("fcn8s", 21, backbone="vgg16")
    drawing = diagrams.network(model, SIDE, pictures=pictures)
    drawing.most = WIDTH
    return drawing


def main():
    drawing = course_map()
    COURSE_MAP.write_text(json.dumps(asdict(drawing), indent=1) + "\n", encoding="utf-8")
    PICTURE.write_text(drawing.svg() + "\n", encoding="utf-8")
    print(f"Wrote {COURSE_MAP} and {PICTURE}")


if __name__ == "__main__":
    main()
