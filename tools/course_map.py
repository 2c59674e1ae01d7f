"""Draw the course map, FCN-8s on VGG-16: python tools/course_map.py

It stores the drawing for `diagrams.course_map` and, as a picture, for the book's first page.
"""

import json
from dataclasses import asdict
from pathlib import Path

import fcn_tutorial as fcn
from fcn_tutorial import diagrams, plotting
from fcn_tutorial.data.voc import voc_palette
from fcn_tutorial.diagrams.networks import COURSE_MAP
from fcn_tutorial.runs import STUDIES

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "book" / "_static" / "course-map.svg"
PHOTO = STUDIES / "voc_mobilenet" / "photos" / "astronaut.jpg"
SIDE = 224  # pixels of an image of ImageNet
WIDTH = 690  # pixels of the map at the head of a chapter


def course_map():
    """The drawing of FCN-8s on VGG-16, with a photograph and what a trained network makes of it."""
    photo = fcn.read_image(PHOTO)
    label = fcn.segment(fcn.load_trained("voc_fcn8s"), photo)
    pictures = photo, plotting.colorize(label, voc_palette(21))
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
