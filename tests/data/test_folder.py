"""A folder as a data set: layouts, masks, tables, splits, and what is refused."""

import shutil
from itertools import combinations

import numpy as np
import pytest
from folders import CLASSES, COLORS, LAYOUTS, NAMES, example, save
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data import folder as folders
from fcn_tutorial.data.catalog import splits_of
from fcn_tutorial.errors import InputWarning


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [("voc", [8, 4]), ("camvid", None), ("roboflow", [8, 2, 2]), ("plain", None)],
)
def test_each_layout_is_read_by_its_splits_or_by_a_hash(tmp_path, kind, sizes):
    LAYOUTS[kind](tmp_path / "photos")
    seen, found = {}, []
    for split in splits_of(tmp_path / "photos"):
        dataset = fcn.load_dataset(tmp_path / "photos", split)
        assert (dataset.name, dataset.split, dataset.classes) == ("photos", split, CLASSES)
        assert len(dataset.palette) == 3
        found.append(len(dataset))
        seen.update({name: dataset[i] for i, name in enumerate(dataset.names)})
    assert len(seen) == sum(found) == 12
    assert found == sizes if sizes else len(found) == 3
    for name, (image, label) in seen.items():
        number = next(i for i, each in enumerate(NAMES) if name.endswith(each))
        np.testing.assert_array_equal(label, example(number)[1])
        assert np.abs(image.astype(int) - example(number)[0]).mean() < 20  # JPEG


def test_roboflows_images_may_end_as_masks_do_elsewhere(tmp_path):
    LAYOUTS["roboflow"](tmp_path)
    for end in (".jpg", "_mask.png"):
        (tmp_path / "train" / f"{NAMES[0]}{end}").rename(tmp_path / "train" / f"road_l{end}")
    assert "train/road_l" in fcn.load_dataset(tmp_path, "train").names


def test_a_folder_is_looked_through_once_to_open_a_split(tmp_path, monkeypatch):
    looked, find = [], folders.find
    monkeypatch.setattr(folders, "find", lambda folder: looked.append(folder) or find(folder))
    LAYOUTS["voc"](tmp_path)
    fcn.load_dataset(tmp_path, "val")
    assert looked == [tmp_path]


def one_mask(folder, mask, table="classes.csv", rows="id,name\n0,ground\n7,leaf\n24,stem\n"):
    """A folder of four equal examples; mask: an array, or Pillow's image."""
    for number in range(4):
        save(folder / "images" / f"{number}.png", np.zeros((2, 3, 3), np.uint8))
        path = folder / "masks" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        (mask if isinstance(mask, Image.Image) else Image.fromarray(mask)).save(path)
    if table:
        (folder / table).write_text(rows)
    return fcn.load_dataset(folder, "train")


def example_of(folder, end):
    """The example whose name ends so, in whatever split it is."""
    for dataset in (fcn.load_dataset(folder, split) for split in splits_of(folder)):
        for index, name in enumerate(dataset.names):
            if name.endswith(end):
                return dataset[index]


IDS = np.array([[0, 7, 24], [7, 7, 255]], np.uint8)
LABEL = [[0, 1, 2], [1, 1, 255]]
TONES = np.array([[(9, 9, 9), (0, 200, 0), (200, 0, 0)], [(0, 200, 0)] * 2 + [(1, 2, 3)]], np.uint8)
TONE_ROWS = "name,color\nground,#090909\nleaf,#00c800\nstem,#c80000\nvoid,1 2 3\n"


def with_palette(ids, *colors):
    image = Image.fromarray(np.asarray(ids, np.uint8))
    image.putpalette(np.resize(colors, (256, 3)).astype(np.uint8).tobytes())  # fewer: fewer bits
    return image


MASKS = {
    "grey ids with gaps": (IDS,),
    "16-bit ids": (IDS.astype(np.uint16) * 100, "classes.csv",
        "id,name\n0,ground\n700,leaf\n2400,stem\n25500,void\n"),
    "three equal channels": (np.repeat(IDS[..., None], 3, -1),),
    "colours": (TONES, "classes.csv", TONE_ROWS),
    "colours with alpha": (np.dstack([TONES, IDS]), "classes.csv", TONE_ROWS),
    "colours in r, g and b": (TONES, "classes.csv",
        "name,r,g,b\nground,9,9,9\nleaf,0,200,0\nstem,200,0,0\nignore,1,2,3\n"),
    "palette of ids": (with_palette([[0, 1, 2], [1, 1, 255]], (5, 5, 5)), "classes.txt",
        "ground\nleaf\nstem\n"),
    "palette of colours": (
        with_palette([[3, 2, 1], [2, 2, 0]], (1, 2, 3), (200, 0, 0), (0, 200, 0), (9, 9, 9)),
        "classes.csv", TONE_ROWS.replace("name,", "id,name,").replace("ground", "10,ground")
        .replace("leaf", "11,leaf").replace("stem", "12,stem").replace("void", "13,void")),
    "ids in dataset.toml": (IDS, "dataset.toml",
        "[classes]\nground = 0\nleaf = [7]\nstem = 24\n"),
    "merged classes": (np.array([[0, 7, 24], [8, 9, 99]], np.uint8), "dataset.toml",
        "void = 99\n[classes]\nground = 0\nleaf = [7, 8, 9]\nstem = 24\n"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_every_kind_give_the_same_label(tmp_path, kind):
    dataset = one_mask(tmp_path, *MASKS[kind])
    assert dataset.classes == ("ground", "leaf", "stem")
    label = dataset[0][1]
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, LABEL)


BINARY = np.array([[0, 255, 0], [255, 255, 0]], np.uint8)
BIT = Image.fromarray(BINARY).convert("1")


@pytest.mark.parametrize(
    ("mask", "table", "rows", "classes", "label"),
    [
        (BINARY, None, "", ("background", "foreground"), BINARY // 255),
        (BINARY, "classes.txt", "leaf", ("background", "leaf"), BINARY // 255),
        (BINARY, "classes.csv", "1,leaf\n0,ground", ("ground", "leaf"), BINARY // 255),
        (BINARY, "classes.csv", "id,name\n0,ground\n255,leaf", ("ground", "leaf"), BINARY // 255),
        (BINARY, "classes.csv", "id,name\n0,ground\n255,void", ("ground",), BINARY),
        (BINARY, "dataset.toml", "[classes]\nleaf = 255\nground = 0", ("leaf", "ground"),
            1 - BINARY // 255),
        (BIT, None, "", ("0", "1"), BINARY // 255),
        (IDS, None, "", ("0", "7", "24"), LABEL),
        (IDS, "dataset.toml", "void = [7]", ("0", "24"), [[0, 255, 1], [255, 255, 255]]),
    ],
)  # fmt: skip
def test_0_and_255_are_a_class_unless_the_table_says_void(
    tmp_path, mask, table, rows, classes, label
):
    dataset = one_mask(tmp_path, mask, table, rows)
    assert dataset.classes == classes
    np.testing.assert_array_equal(dataset[0][1], label)
    if table is None:
        assert all(name in dataset.notes[-1] for name in classes)


def test_a_value_without_a_row_names_file_value_and_pixels(tmp_path, refusal):
    rows = "id,name\n0,ground\n7,leaf\n"
    dataset = one_mask(tmp_path, IDS, rows=rows)
    message = refusal(lambda: dataset[0])
    assert "0.png" in message and "id 24" in message and "1 pixel," in message
    dataset = one_mask(tmp_path, TONES, rows="name,color\nground,#090909\nstem,#c80000\n")
    message = refusal(lambda: dataset[0])
    assert "#00c800" in message and "4 pixels" in message and "classes.csv" in message
    save(tmp_path / "masks" / "0.jpg", np.full((2, 3), 24, np.uint8))
    (tmp_path / "masks" / "0.png").unlink()
    assert "save masks as PNG" in refusal(example_of, tmp_path, "0")
    (tmp_path / "classes.csv").unlink()
    message = refusal(fcn.load_dataset, tmp_path)
    assert "0.jpg" in message and "save masks as PNG" in message


def test_a_value_beyond_a_list_of_names_is_explained(tmp_path, refusal):
    names = one_mask(tmp_path, IDS, "classes.txt", "ground\nleaf\nstem")
    assert "first line is id 0" in refusal(lambda: names[0])
    names = one_mask(tmp_path, TONES, "classes.txt", "ground\nleaf\nstem")
    assert "in classes.csv" in refusal(lambda: names[0])


def write(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def gone(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


FAULTS = {
    "no folder": (lambda f: gone(f), ("photos", "missing")),
    "a file": (lambda f: [gone(f), write(f)], ("photos is a file", "data convert")),
    "no layout": (lambda f: gone(f / "masks"), ("classes.csv, images/", "images/ and masks/")),
    "polygons": (lambda f: [gone(f / "masks"), write(f / "a.json")], ("data convert",)),
    "two layouts": (lambda f: LAYOUTS["voc"](f), ("VOC and plain",)),
    "two folders of masks": (lambda f: (f / "labels").mkdir(), ("masks/", "labels/")),
    "no pair": (lambda f: [gone(p) for p in (f / "masks").iterdir()], ("a_mask.png",)),
    "two images": (lambda f: write(f / "images" / f"{NAMES[0]}.png"), (f"{NAMES[0]}.JPG",)),
    "two masks": (lambda f: write(f / "masks" / f"{NAMES[0]}_mask.png"), (f"{NAMES[0]}_mask.png",)),
    "an unknown name in a list": (lambda f: write(f / "train.txt", "absent"), ("'absent'",)),
    "a broken table": (lambda f: write(f / "classes.csv", "id,colour\n0,#000000"), ("'name'",)),
    "a bad colour": (lambda f: write(f / "classes.csv", "0,a,#12"), ("'#12'", "classes.csv")),
    "a bad id": (lambda f: write(f / "classes.csv", "0,a\nx,b"), ("'x'", "classes.csv")),
    "no class": (lambda f: write(f / "classes.csv", "0,void"), ("0 classes", "classes.csv")),
    "two names for an id": (lambda f: write(f / "classes.csv", "0,a\n0,b"), ("id 0", "'a'", "'b'")),
    "broken settings": (lambda f: write(f / "dataset.toml", "group ="), ("dataset.toml",)),
    "an unknown setting": (lambda f: write(f / "dataset.toml", "grup = 'a'"), ("'grup'",)),
    "a void of 0.9": (lambda f: write(f / "dataset.toml", "void = [0.9]"), ("dataset.toml",)),
    "an id of 0.9": (lambda f: write(f / "dataset.toml", "classes.a = 0.9"), ("dataset.toml",)),
    "a broken group": (lambda f: write(f / "dataset.toml", "group = '('"), ("dataset.toml",)),
    "broken shares": (lambda f: write(f / "dataset.toml", "split = [9, 1]"), ("[80, 10, 10]",)),
    "an endless share": (lambda f: write(f / "dataset.toml", "split = [inf, 1, 1]"), ("shares",)),
    "one group": (lambda f: write(f / "dataset.toml", "group = '^B'"), ("1 group,",)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_a_sentence_that_names_it(tmp_path, refusal, fault):
    folder = tmp_path / "photos"
    LAYOUTS["plain"](folder)
    spoil, named = FAULTS[fault]
    spoil(folder)
    message = refusal(fcn.load_dataset, folder, "train")
    assert all(each in message for each in named), message


def test_images_without_a_mask_are_left_out_and_said(tmp_path):
    LAYOUTS["plain"](tmp_path)
    (tmp_path / "masks" / f"{NAMES[3]}.PNG").unlink()
    save(tmp_path / "masks" / "lonely.png", np.zeros((2, 2), np.uint8))
    notes = fcn.load_dataset(tmp_path, "train").notes
    assert NAMES[3] in notes[0] and "lonely.png" in notes[1]
    assert sum(len(fcn.load_dataset(tmp_path, split)) for split in splits_of(tmp_path)) == 11


@pytest.mark.parametrize("around", [True, False])
def test_equal_names_in_folders_of_splits_are_examples_of_their_own(tmp_path, around):
    for number, split in enumerate(("train", "Validation")):
        for half, array in (("images", example(number)[0]), ("masks", example(number)[1])):
            parts = (split, half) if around else (half, split)
            save(tmp_path.joinpath(*parts, "a.png"), array)
    train, val = (fcn.load_dataset(tmp_path, split) for split in splits_of(tmp_path))
    assert (train.split, val.split) == ("train", "val")
    assert not set(train.names) & set(val.names)
    for number, dataset in enumerate((train, val)):
        np.testing.assert_array_equal(dataset[0][1], example(number)[1])


def test_what_lies_around_and_inside_images_is_read_and_loose_images_are_said(tmp_path, refusal):
    image, label = example(0)
    for place in ("train/{}/a.png", "{}/train/b.png", "{}/val/c.png", "{}/loose.png"):
        for half, array in (("images", image), ("masks", label)):
            save(tmp_path / place.format(half), array)
    write(tmp_path / "images" / "test.txt")
    train = fcn.load_dataset(tmp_path, "train")
    assert train.names == ("train/a", "train/b") and splits_of(tmp_path) == ("train", "val")
    assert "1 image in no folder of a split" in train.notes[0] and "loose.png" in train.notes[0]
    for half, array in (("images", image), ("masks", label)):
        save(tmp_path / "train" / half / "b.png", array)
    assert "have the same name" in refusal(splits_of, tmp_path)


@pytest.mark.parametrize("val", ["val/{}/b.png", "{}/val/b.png"])
def test_beside_a_folder_for_validation_the_others_are_for_training(tmp_path, val):
    for number, place in enumerate(("{}/a.png", val)):
        for half, array in zip(("images", "masks"), example(number), strict=True):
            save(tmp_path / place.format(half), array)
    assert splits_of(tmp_path) == ("train", "val")
    for number, split in enumerate(("train", "val")):
        np.testing.assert_array_equal(fcn.load_dataset(tmp_path, split)[0][1], example(number)[1])


def test_a_layouts_own_table_comes_before_those_of_others(tmp_path):
    LAYOUTS["plain"](tmp_path)
    write(tmp_path / "labelmap.txt", "background:0,0,0::\nother:1,1,1::")
    write(tmp_path / "label_colors.txt", "0 0 0 other")
    write(tmp_path / "train.txt", "\n".join(NAMES))
    assert fcn.load_dataset(tmp_path, "train").classes == CLASSES
    LAYOUTS["camvid"](tmp_path / "other")
    write(tmp_path / "other" / "classes.txt", "\n".join(CLASSES))
    (tmp_path / "other" / "defaultannot").rename(tmp_path / "other" / "labels")
    pairs = (tmp_path / "other" / "default.txt").read_text(encoding="utf-8")
    write(tmp_path / "other" / "default.txt", pairs.replace("defaultannot", "labels"))
    assert fcn.load_dataset(tmp_path / "other", "train").table.where.name == "label_colors.txt"


def test_a_mask_that_is_a_link_to_nothing_is_refused_when_it_is_read(tmp_path, refusal):
    LAYOUTS["camvid"](tmp_path)
    (tmp_path / "label_colors.txt").unlink()
    for mask in (tmp_path / "defaultannot").iterdir():
        mask.unlink()
        mask.symlink_to("nowhere.png") if NAMES[0] in mask.name else save(mask, example(0)[1])
    assert "is missing" in refusal(example_of, tmp_path, NAMES[0])


def test_photos_in_place_of_masks_are_refused_before_all_are_read(tmp_path, refusal, monkeypatch):
    read, values_of = [], folders.masks.values_of
    monkeypatch.setattr(folders.masks, "values_of", lambda *of: read.append(of) or values_of(*of))
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    for number in range(300):
        save(tmp_path / "images" / f"{number}.png", np.zeros((2, 2, 3), np.uint8))
        save(tmp_path / "masks" / f"{number}.png", noise)
    assert "values or more" in refusal(fcn.load_dataset, tmp_path)
    assert len(read) < 300


def test_lists_without_names_are_refused(tmp_path, refusal):
    LAYOUTS["plain"](tmp_path)
    write(tmp_path / "train.txt", "\n \n")
    assert "name no images" in refusal(splits_of, tmp_path)


def test_a_list_without_val_gives_up_a_tenth_and_without_train_means_the_rest(tmp_path):
    LAYOUTS["plain"](tmp_path)
    (tmp_path / "test.txt").write_text(f"images/{NAMES[0]}.JPG\n{NAMES[1]}\n")
    sizes = {split: len(fcn.load_dataset(tmp_path, split)) for split in splits_of(tmp_path)}
    assert sizes["test"] == 2 and sizes["val"] >= 1 and sum(sizes.values()) == 12


names = st.lists(st.text(max_size=8), min_size=3, max_size=60, unique=True)


@given(names=names, more=names)
def test_the_split_by_hash_is_stable_complete_and_leaves_none_empty(names, more):
    parts = folders.hashed(names)
    assert list(parts) == ["train", "val", "test"] and all(parts.values())
    assert sorted(name for part in parts.values() for name in part) == sorted(names)
    assert folders.hashed(names[::-1]) == {key: part[::-1] for key, part in parts.items()}
    both = list(dict.fromkeys(names + more))
    later = {name: split for split, part in folders.hashed(both).items() for name in part}
    moved = [name for split, part in parts.items() for name in part if later[name] != split]
    # Only names that filled an empty split, before or after.
    assert len(moved) <= 4


def test_the_split_by_hash_has_the_shares_and_keeps_groups_together():
    names = [f"video{number // 10}_{number:05d}" for number in range(10_000)]
    parts = folders.hashed(names)
    assert [round(len(part) / 1000) for part in parts.values()] == [8, 1, 1]
    of = folders.hashed(names, group=r"^(video\d+)_")
    groups = [{name.split("_")[0] for name in part} for part in of.values()]
    assert not any(one & other for one, other in combinations(groups, 2))


def test_a_folder_can_have_the_name_of_a_data_set_and_an_unknown_name_is_refused(
    tmp_path, monkeypatch, refusal
):
    monkeypatch.chdir(tmp_path)
    LAYOUTS["plain"](tmp_path / "camvid")
    assert fcn.load_dataset("camvid/", "train").classes == CLASSES
    assert "folder" in refusal(fcn.load_dataset, "pictures")
    LAYOUTS["plain"](tmp_path / "photos")
    with pytest.warns(InputWarning, match="write photos/ for the folder"):
        assert '"photos/"' in refusal(fcn.load_dataset, "photos")
    np.testing.assert_array_equal(fcn.load_dataset("./camvid").palette, list(COLORS.values()))
