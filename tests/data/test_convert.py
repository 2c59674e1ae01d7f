"""What labelling tools export, as images/ and masks/."""

import base64
import json
import shutil

import numpy as np
import pytest
from folders import CLASSES, LAYOUTS, NAMES, example, labelme, save

import fcn_tutorial as fcn
from fcn_tutorial.data.catalog import splits_of
from fcn_tutorial.data.convert import convert
from fcn_tutorial.data.layouts import find

WANTED = np.zeros((40, 48), np.uint8)
WANTED[5:30, 4:30] = 1
WANTED[10:15, 10:20] = 2


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def masks_of(folder):
    """Labels of all examples by name, and the classes."""
    found = {}
    for split in splits_of(folder):
        dataset = fcn.load_dataset(folder, split)
        found |= {name: dataset[i][1] for i, name in enumerate(dataset.names)}
    return found, dataset.classes


def test_labelme_becomes_masks_with_the_smaller_shape_on_top(tmp_path, command_line):
    labelme(tmp_path / "in")
    code, out, _ = command_line("data", "convert", tmp_path / "in", "--output", tmp_path / "out")
    assert code == 0 and "3 images" in out and str(tmp_path / "out") in out.splitlines()[-1]
    masks, classes = masks_of(tmp_path / "out")
    assert classes == ("background", "leaf", "stem") and sorted(masks) == ["0", "1", "2"]
    for mask in masks.values():
        np.testing.assert_array_equal(mask, WANTED)
    assert (tmp_path / "in/0.jpg").read_bytes() == (tmp_path / "out/images/0.jpg").read_bytes()


def test_labelme_with_the_image_inside_circles_masks_points_and_void(tmp_path):
    save(tmp_path / "a.png", example(0)[0])
    content = base64.b64encode((tmp_path / "a.png").read_bytes()).decode()
    save(tmp_path / "m.png", np.full((4, 6), 255, np.uint8))
    mask = base64.b64encode((tmp_path / "m.png").read_bytes()).decode()
    shapes = [
        {"label": "leaf", "shape_type": "circle", "points": [[20, 20], [20, 25]]},
        {"label": "__ignore__", "shape_type": "mask", "points": [[1, 2], [6, 5]], "mask": mask},
        {"label": "leaf", "shape_type": "point", "points": [[3, 3]]},
    ]
    for number in range(3):
        entry = {"imagePath": "a.png", "imageData": content, "shapes": shapes}
        write(tmp_path / "in" / "sub" / f"{number}.json", entry)
    count, classes, notes = convert(tmp_path / "in", tmp_path / "out")
    assert (count, classes) == (3, ("background", "leaf")) and "3 shapes" in notes[0]
    label = masks_of(tmp_path / "out")[0]["sub/0"]
    assert (label[2:6, 1:7] == 255).all() and (label == 255).sum() == 24
    assert label[20, 24] == 1 and label[20, 27] == 0
    assert (label == 1).sum() == pytest.approx(np.pi * 5**2, rel=0.3)


def coco(folder):
    for number in range(3):
        save(folder / "images" / f"{number}.png", example(number)[0])
    rle = {"counts": [0, 3, 40 * 48 - 3], "size": [40, 48]}  # the first three pixels downwards
    polygons = {7: [[4, 5, 30, 5, 30, 30, 4, 30]], 3: [[10, 10, 20, 10, 20, 15, 10, 15]], 9: rle}
    names = {7: "leaf", 3: "stem", 9: "tip"}
    entry = {
        "images": [{"id": 10 + n, "file_name": f"{n}.png"} for n in range(3)],
        "categories": [{"id": c, "name": name} for c, name in names.items()],
        "annotations": [
            {"image_id": 10 + n, "category_id": c, "segmentation": polygons[c]}
            for n in range(3)
            for c in (3, 7, 9)
        ],
    }
    write(folder / "instances.json", entry)
    return entry


@pytest.mark.parametrize("file", ["", "instances.json"])
def test_coco_becomes_masks_with_the_smaller_shape_on_top(tmp_path, file):
    pytest.importorskip("pycocotools")
    coco(tmp_path / "in")
    convert(tmp_path / "in" / file, tmp_path / "out")
    masks, classes = masks_of(tmp_path / "out")
    assert classes == ("background", "leaf", "stem", "tip") and len(masks) == 3
    wanted = WANTED.copy()
    wanted[:3, 0] = 3
    for mask in masks.values():
        np.testing.assert_array_equal(mask, wanted)


def test_one_file_of_labelme_becomes_one_image_and_its_mask(tmp_path, command_line):
    labelme(tmp_path / "in")
    source, output = tmp_path / "in" / "1.json", tmp_path / "out"
    code, out, _ = command_line("data", "convert", source, "--output", output)
    assert code == 0 and "Wrote 1 image and its mask, and classes.csv" in out
    assert [path.name for path in (output / "masks").iterdir()] == ["1.png"]


def test_an_ending_in_capitals_is_read_and_no_image_is_refused(tmp_path, refusal):
    pytest.importorskip("pycocotools")
    coco(tmp_path / "in")
    file = (tmp_path / "in" / "instances.json").rename(tmp_path / "in" / "A.JSON")
    assert convert(file, tmp_path / "out")[0] == 3
    file.write_text('{"images": [], "annotations": [], "categories": []}')
    assert "A.JSON names no images" in refusal(convert, file, tmp_path / "new")


def test_a_photo_is_not_a_file_of_polygons(tmp_path, command_line):
    save(tmp_path / "photo.jpg", example(0)[0])
    source, output = tmp_path / "photo.jpg", tmp_path / "out"
    code, _, error = command_line("data", "convert", source, "--output", output)
    assert code == 2 and f"{source} is not a JSON file of LabelMe or COCO" in error
    assert not output.exists()


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_layout_of_masks_can_be_converted(tmp_path, kind):
    LAYOUTS[kind](tmp_path / "in")
    convert(tmp_path / "in", tmp_path / "out")
    masks, classes = masks_of(tmp_path / "out")
    assert classes == CLASSES and find(tmp_path / "out").kind == "plain"
    for name, mask in masks.items():
        number = next(i for i, each in enumerate(NAMES) if name.endswith(each))
        np.testing.assert_array_equal(mask, example(number)[1])


@pytest.mark.parametrize("content", [b"", None])
def test_an_image_that_is_damaged_or_does_not_fit_its_mask_is_refused(tmp_path, refusal, content):
    LAYOUTS["plain"](tmp_path / "in")
    image = tmp_path / "in" / "images" / f"{NAMES[5]}.JPG"
    save(image, np.zeros((7, 9, 3), np.uint8)) if content is None else image.write_bytes(content)
    message = refusal(convert, tmp_path / "in", tmp_path / "out")
    assert ("9 x 7" if content is None else image.name) in message
    assert not list((tmp_path / "out").iterdir())  # so that it can be tried again


def test_the_groups_of_a_folder_of_masks_stay_together(tmp_path):
    LAYOUTS["plain"](tmp_path / "in")
    (tmp_path / "in" / "dataset.toml").write_text('group = "[0-9]"\nsplit = [50, 50, 0]')
    convert(tmp_path / "in", tmp_path / "out")
    for split in ("train", "val"):
        before, after = (fcn.load_dataset(tmp_path / each, split) for each in ("in", "out"))
        assert after.names == before.names


def test_a_class_may_have_quotes_and_a_comma_in_its_name(tmp_path):
    labelme(tmp_path / "in")
    shape = {"label": 'a "b", c', "points": [[1, 2], [9, 9], [1, 9]]}
    change("0.json", shapes=[shape])(tmp_path / "in")
    convert(tmp_path / "in", tmp_path / "out")
    assert 'a "b", c' in masks_of(tmp_path / "out")[1]


def change(file, **values):
    def spoil(folder):
        write(folder / file, json.loads((folder / file).read_text()) | values)

    return spoil


MANY = [{"label": str(i), "points": [[1, 2], [9, 9], [1, 9]]} for i in range(254)]


@pytest.mark.parametrize(
    ("make", "spoil", "named"),
    [
        (labelme, lambda f: (f / "0.json").write_text("{"), ("0.json", "JSON")),
        (labelme, lambda f: (f / "0.jpg").unlink(), ("0.jpg", "0.json")),
        (labelme, change("0.json", shapes=[{"label": "a"}]), ("0.json", "shape")),
        (labelme, change("0.json", shapes=[{"label": "a", "points": [[1, 2]]}]), ("polygon",)),
        (labelme, lambda f: write(f / "c.json", {"annotations": []}), ("LabelMe and COCO",)),
        (coco, lambda f: (f / "images" / "1.png").unlink(), ("1.png", "instances.json")),
        (coco, change("instances.json", categories=[]), ("instances.json",)),
        (coco, change("instances.json", categories=[{"id": 7}]), ("categories",)),
        (coco, lambda f: shutil.copy(f / "instances.json", f / "more.json"), ("two labels for",)),
        (labelme, change("0.json", shapes=MANY), ("257 classes", "255")),
    ],
)
def test_a_broken_export_is_named(tmp_path, refusal, make, spoil, named):
    if make is coco:
        pytest.importorskip("pycocotools")
    make(tmp_path / "in")
    spoil(tmp_path / "in")
    message = refusal(convert, tmp_path / "in", tmp_path / "out")
    assert all(each in message for each in named), message
    assert not list((tmp_path / "out").glob("*"))


def test_nothing_is_overwritten_and_nothing_written_outside(tmp_path, refusal):
    labelme(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("x")
    assert "thesis" not in refusal(convert, tmp_path / "in", tmp_path / "out")
    pytest.importorskip("pycocotools")
    entry = coco(tmp_path / "deep" / "in")
    save(tmp_path / "deep" / "up.png", example(0)[0])
    entry["images"][0]["file_name"] = "../up.png"
    write(tmp_path / "deep" / "in" / "instances.json", entry)
    convert(tmp_path / "deep" / "in", tmp_path / "deep" / "out")
    assert (tmp_path / "deep" / "out" / "images" / "up.png").is_file()
