"""`fcn-tutorial segment`: photos, options, VOC's layout, and what is refused."""

import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn


def test_a_folder_of_photos_is_labelled_down_to_one_pixel(call, made, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("CMYK", (14, 9)).save(tmp_path / "photos" / "a.tif")
    Image.new("RGB", (1, 1)).save(tmp_path / "photos" / "b.jpg")
    code, out, _ = call("segment", made, tmp_path / "photos", "--output", tmp_path / "out")
    assert code == 0 and "2 label maps" in out and str(tmp_path / "out") in out
    names = ("a-label", "a-overlay", "b-label", "legend")
    label, *others = (Image.open(tmp_path / "out" / f"{name}.png") for name in names)
    assert (label.mode, label.size) == ("P", (14, 9))
    assert [each.size for each in others[:2]] == [(14, 9), (1, 1)]


@pytest.mark.parametrize("name", ["a-label.png", "legend.png"])
def test_a_photo_is_not_overwritten(call, made, tmp_path, name):
    for each in ("a.png", name):
        Image.new("RGB", (4, 4)).save(tmp_path / each)
    before = (tmp_path / name).read_bytes()
    code, _, error = call("segment", made, tmp_path, "--output", tmp_path)
    assert code == 2 and str(tmp_path / name) in error and "--output" in error
    assert (tmp_path / name).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.png", name])


def test_damaged_photos_of_a_folder_are_named_and_the_others_labelled(call, made, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in ("a", "c", "e"):
        Image.new("RGB", (4, 4)).save(photos / f"{name}.png")
    (photos / "b.png").write_text("no image")
    (photos / "d.png").write_bytes((photos / "a.png").read_bytes()[:40])
    code, said, error = call("segment", made, photos, "--output", out)
    first, second, summary = error.splitlines()
    assert code == 1 and "3 label maps" in said and "2 of 5 images" in summary
    assert str(photos / "b.png") in first and str(photos / "d.png") in second
    names = {f"{name}-{kind}.png" for name in "ace" for kind in ("label", "overlay")}
    assert {path.name for path in out.iterdir()} == names | {"legend.png"}
    code, said, _ = call("segment", made, photos / "b.png", "--output", out)
    assert code == 1 and "0 label maps" in said


def test_sub_folders_are_mentioned_or_entered(command_line, made, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "photos" / "out"
    for name in ("a.png", "trip/a.png", "trip/day.1/b.c.JPG"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(photos / name)

    def written(*options):
        code, _, error = command_line("segment", made, photos, "--output", out, *options)
        assert code == 0
        labels = {str(p.relative_to(out)) for p in out.rglob("*-label.png")}
        return labels, [line for line in error.splitlines() if "%|" not in line and line.strip()]

    for _ in range(2):  # the results of the first time are no photos
        labels, said = written()
        assert labels == {"a-label.png"}
        assert len(said) == 1 and "trip" in said[0] and "--recursive" in said[0]
    for _ in range(2):
        labels, said = written("--recursive")
        assert not said
        assert labels == {"a-label.png", "trip/a-label.png", "trip/day.1/b.c-label.png"}


def test_a_folder_of_nothing_but_folders_is_refused_in_one_sentence(command_line, made, tmp_path):
    (tmp_path / "photos" / "trip").mkdir(parents=True)
    code, _, error = command_line("segment", made, tmp_path / "photos")
    (said,) = error.splitlines()
    assert code == 2 and "no images" in said and "trip" in said and "--recursive" in said
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (4, 4)).save(tmp_path / "photos" / name)
    code, _, error = command_line("segment", made, tmp_path / "photos")
    assert code == 2 and "same file" in error and len(error.splitlines()) == 1


def test_the_test_set_is_labelled_for_the_evaluation_server(call, runs, tmp_path, voc):
    devkit = voc / "VOCdevkit" / "VOC2012"
    names = devkit / "ImageSets" / "Segmentation" / "test.txt"
    options = ("--voc-list", names, "--with", runs / "voc1", "--output", tmp_path)
    options += ("--scales", "0.5,1.5", "--flip")
    code, out, _ = call("segment", runs / "voc0", devkit / "JPEGImages", *options)
    folder = tmp_path / "results/VOC2012/Segmentation/comp6_test_cls"
    assert code == 0 and "2 label maps" in out and str(folder) in out
    written = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert written == [folder / f"{name}.png" for name in sorted(names.read_text().split())]
    models = [fcn.load_run(runs / f"voc{seed}").model for seed in (0, 1)]
    for path in written:
        image = np.array(Image.open(devkit / "JPEGImages" / f"{path.stem}.jpg"))
        expected = fcn.segment(models, image, (0.5, 1.5), flip=True)
        np.testing.assert_array_equal(Image.open(path), expected)


@pytest.mark.parametrize("scales", ["a", "", "1,-1", "nan", "5"])
@pytest.mark.parametrize("command", [("evaluate",), ("segment", "photo.jpg")])
def test_unusable_scales_are_named(call, made, command, scales):
    command, *photos = command
    code, _, error = call(command, made, *photos, "--scales", scales)
    assert code == 2 and "--scales" in error and repr(scales) in error


def test_bad_calls_end_in_one_sentence(call, runs, voc, tmp_path):
    photos = voc / "VOCdevkit" / "VOC2012" / "JPEGImages"
    lists = {"some": "2007_000002 2007_999999", "none": " \n", "one": "2007_000002"}
    for name, text in lists.items():
        (tmp_path / f"{name}.txt").write_text(text)
    for name in ("empty", "one", "two"):
        (tmp_path / name).mkdir()
    for name in ("one", "two"):
        Image.new("RGB", (4, 4)).save(tmp_path / name / "photo.png")
    (tmp_path / "file").write_text("")
    voc0, shapes, into_file = runs / "voc0", runs / "shapes", ("--output", tmp_path / "file")
    for named, run, *arguments in [
        ("shapes", voc0, photos, "--with", shapes),
        ("absent.jpg", voc0, tmp_path / "absent.jpg"),
        ("empty", voc0, tmp_path / "empty"),
        ("same file", voc0, tmp_path / "one", tmp_path / "two"),
        (str(tmp_path / "file"), voc0, tmp_path / "one", *into_file),
        (str(tmp_path / "file"), voc0, photos, "--voc-list", tmp_path / "one.txt", *into_file),
        ("2007_999999", voc0, photos, "--voc-list", tmp_path / "some.txt"),
        ("none.txt is empty", voc0, photos, "--voc-list", tmp_path / "none.txt"),
        ("absent.txt is missing", voc0, photos, "--voc-list", tmp_path / "absent.txt"),
        ("shapes", shapes, photos, "--voc-list", tmp_path / "one.txt"),
    ]:
        code, _, error = call("segment", run, *arguments)
        assert code == 2 and named in error, (arguments, error)
