"""What a survey of a folder counts, and each fault that it names."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from folders import CLASSES, NAMES, example, plain, save

import fcn_tutorial as fcn
from fcn_tutorial.data.catalog import splits_of
from fcn_tutorial.data.survey import survey


def noise(seed):
    """An image that looks like no other."""
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), np.uint8))


@pytest.fixture
def photos(tmp_path):
    plain(tmp_path / "photos")
    for number, name in enumerate(NAMES):
        save(tmp_path / "photos" / "images" / f"{name}.JPG", noise(number))
    return tmp_path / "photos"


def test_it_counts_pixels_and_images_of_each_class(photos):
    found = survey(photos)
    labels = [example(number)[1] for number in range(12)]
    assert found.sizes == {(48, 40): 12}
    np.testing.assert_array_equal(found.pixels, np.bincount(np.ravel(labels), minlength=3))
    np.testing.assert_array_equal(found.images, [12, 12, 12])
    assert list(found.splits) == list(splits_of(photos))
    for split, dataset in found.splits.items():
        assert dataset.names == fcn.load_dataset(photos, split).names
    for c, (split, index) in found.largest.items():
        mine = (found.splits[split][index][1] == c).sum()
        assert mine == max((label == c).sum() for label in labels)
    assert found.void == 0 and found.warnings == []


def test_it_opens_each_image_once_and_each_mask_once_more_for_a_table(photos, monkeypatch):
    (photos / "classes.csv").unlink()
    opened = Counter()

    def counting(path, mode):
        opened[path] += 1
        return open(path, mode)

    monkeypatch.setattr("fcn_tutorial.data.images.open", counting, raising=False)
    found = survey(photos)
    assert len(opened) == 24
    times = {(Path(path).parent.name, count) for path, count in opened.items()}
    assert times == {("images", 1), ("masks", 2)}
    assert next(iter(found.splits.values())).classes == ("0", "7", "24")


def spoil_duplicate(folder):
    for split, image in (("train", noise(99)), ("val", np.maximum(noise(99), 2) - 2)):
        name = fcn.load_dataset(folder, split).names[0]
        save(folder / "images" / f"{name}.JPG", image)


def spoil_mask(value, height=40):
    mask = np.full((height, 48), value, np.uint8)
    return lambda folder: save(folder / "masks" / f"{NAMES[0]}.PNG", mask)


def spoil_class(folder):
    for number, name in enumerate(NAMES):
        label = np.zeros((40, 48), np.uint8)
        label[0, 0] = 7 if number < 6 else 24
        save(folder / "masks" / f"{name}.PNG", label)


def spoil_sizes(folder):
    save(folder / "images" / f"{NAMES[0]}.JPG", noise(0)[:32])
    spoil_mask(0, 32)(folder)


def spoil_file(folder):
    (folder / "masks" / f"{NAMES[0]}.PNG").write_bytes(b"no image")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (spoil_duplicate, ("1 image of val looks like one of train",)),
        (spoil_mask(0), ("1 of 12 masks holds nothing but background", NAMES[0])),
        (spoil_mask(255), ("1 of 12 masks holds nothing but void", NAMES[0])),
        (spoil_mask(9), ("id 9", f"{NAMES[0]}.PNG")),
        (spoil_mask(0, 20), (f"{NAMES[0]}.PNG is 48 x 20", "48 x 40")),
        (spoil_file, (f"{NAMES[0]}.PNG cannot be read",)),
        (spoil_class, ("leaf is tiny", "stem is tiny", "background is nearly everywhere")),
        (spoil_sizes, ("2 sizes, from 48 x 32 to 48 x 40",)),
    ],
)
def test_each_fault_is_named(photos, spoil, named):
    spoil(photos)
    warnings = "\n".join(survey(photos).warnings)
    assert all(each in warnings for each in named), warnings


def test_absent_classes_are_one_line_and_without_training_images_none_is_missed_there():
    warnings = survey("photos").warnings
    (absent,) = (each for each in warnings if each.startswith("No image"))
    assert absent.startswith("No image shows bicycle, bird, boat") and "sheep, sofa" in absent
    assert [each for each in warnings if "cat is rare" in each and "1 image" in each]


def test_classes_that_training_does_not_see_are_one_line(photos):
    for name in fcn.load_dataset(photos, "train").names:
        save(photos / "masks" / f"{name}.PNG", np.zeros((40, 48), np.uint8))
    assert "No image of train shows leaf, stem." in survey(photos).warnings


def test_inspect_prints_a_table_and_writes_a_contact_sheet(photos, command_line, tmp_path):
    output = tmp_path / "sheet.png"
    code, out, _ = command_line("data", "inspect", photos, "--output", output)
    assert code == 0 and out.splitlines()[-1].startswith(f"Wrote {output}")
    assert all(name in out for name in CLASSES) and "48 x 40 (12)" in out
    sheet = fcn.read_image(output)
    assert sheet.shape[0] > 300 and sheet.std() > 30


def test_masks_of_void_alone_have_no_contact_sheet(photos, command_line, tmp_path):
    for path in (photos / "masks").iterdir():
        save(path, np.full((40, 48), 255, np.uint8))
    code, out, error = command_line("data", "inspect", photos, "--output", tmp_path / "sheet.png")
    assert code == 2 and "show no class" in error and "12 of 12 masks" in out


def test_a_folder_is_checked_as_any_data_set_is(photos, command_line):
    code, out, _ = command_line("data", "check", photos)
    assert code == 0 and "is complete" in out
    spoil_file(photos)
    code, out, error = command_line("data", "check", photos)
    assert code == 2 and f"{NAMES[0]}.PNG cannot be read" in out
    assert "1 fault, listed above" in error and "replace" in error
