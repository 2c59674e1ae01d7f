"""The report: complete in one small file, with the right numbers and images, whatever the names."""

import base64
import json
import re
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise, product
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score

import fcn_tutorial as fcn
from fcn_tutorial import report
from fcn_tutorial.data.dataset import Dataset
from fcn_tutorial.runs import Run

CLASSES = ("sky", "<b>tree</b>", "a $50 & $1_0 bill")
PALETTE = np.array([[0, 0, 200], [0, 120, 0], [200, 180, 0]], np.uint8)
HISTORY = [
    {"epoch": 1, "loss": 0.9, "mean_iou": 0.2, "val_mean_iou": 0.31},
    {"epoch": 2, "loss": 0.5, "mean_iou": 0.5, "val_mean_iou": 0.625},
    {"epoch": 3, "loss": 0.4, "mean_iou": 0.6, "val_mean_iou": 0.5},
]


class Scenes(Dataset):
    """Label maps of noise, and images whose red channel is what `reader` predicts of them."""

    name, split, classes, palette = "own <photos>", "test", CLASSES, PALETTE

    def __init__(self, count, size=(12, 16), void=False):
        self.names = tuple(f'{index}"><script>' for index in range(count))
        self.size, self.void = size, void

    def __getitem__(self, index):
        rng = np.random.default_rng(range(len(self))[index])
        label = rng.integers(0, 3, self.size, dtype=np.uint8)
        guess = np.where(rng.random(self.size) < rng.random(), rng.integers(0, 3, self.size), label)
        label[0] = 255
        if self.void:
            label[:] = 255
        image = rng.integers(0, 256, (*self.size, 3), dtype=np.uint8)
        image[..., 0] = guess
        return image, label


@pytest.fixture(scope="module")
def reader():
    """A network that reads a pixel's class from its red value."""
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.ops.one_hot(keras.ops.cast(image[..., 0], "int32"), 3))


@pytest.fixture(scope="module")
def run(reader, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "environment.json").write_text(json.dumps({"keras": "3.x", "data": {"a": "1f"}}))
    recipe = fcn.Recipe("camvid", learning_rate=0.0123)
    return Run(folder, recipe, reader, CLASSES, PALETTE, HISTORY)


class Page(HTMLParser):
    """What a report holds: elements with their attributes and their text."""

    def __init__(self, path):
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.found = []
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, tag):
        return [attributes for each, attributes in self.found if each == tag]

    def words(self, tag):
        inside = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", self.text, re.S)
        return [unescape(re.sub("<[^>]*>", "", each)) for each in inside]


def pictures(page, start):
    """The embedded pictures of the images whose alternative text starts so."""
    uris = [each["src"] for each in page.all("img") if each["alt"].startswith(start)]
    return [Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))) for uri in uris]


@pytest.fixture(scope="module")
def page(run):
    report.write_report(run, Scenes(30), run.folder / "report.html", overlap=4)
    return Page(run.folder / "report.html")


def test_a_report_is_one_file_that_loads_nothing_and_runs_nothing(page):
    assert not re.search(r"https?:|//|@import|url\(", re.sub('base64,[^"]*', "", page.text))
    tags = {tag for tag, _ in page.found}
    assert not tags & {"script", "link", "iframe", "b"}
    assert all(each["src"].startswith("data:image/") for each in page.all("img"))
    assert any("default-src 'none'" in each.get("content", "") for each in page.all("meta"))


def test_a_report_can_be_read_aloud(page):
    assert page.all("html")[0]["lang"] == "en"
    assert all(len(each["alt"]) > 8 for each in page.all("img"))
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert len(page.all("table")) == len(page.all("caption")) > 0
    assert all("scope" in each for each in page.all("th"))
    ids = {each["id"] for _, each in page.found if "id" in each}
    assert {each["href"].removeprefix("#") for each in page.all("a")} <= ids


def test_a_report_has_recipe_environment_curves_and_all_scores(page, run, reader):
    recipe, environment = page.words("pre")
    (run.folder / "recipe.toml").write_text(recipe)
    assert fcn.Recipe.load(run.folder / "recipe.toml") == run.recipe
    assert json.loads(environment)["data"] == {"a": "1f"}
    curves = [each["alt"] for each in page.all("img") if "3 epochs" in each["alt"]]
    assert len(curves) == 2 and "0.9 to 0.4" in curves[0] and "0.31 to 0.5" in curves[1]
    assert "4 of these images" in page.text
    scenes = Scenes(30)
    expected = fcn.evaluate(reader, scenes)
    cells = " ".join(page.words("td"))
    support = expected.confusion.sum(axis=1) / expected.confusion.sum()
    for value in (expected.mean_iou, expected.pixel_accuracy, *expected.iou, *support):
        assert f"{100 * value:.1f} %" in cells
    assert set(CLASSES) <= set(page.words("th")) and "62.5 %" in page.text


def test_the_worst_images_come_first_then_those_around_the_median(page):
    values = []
    for image, label in Scenes(30):
        known = label != 255
        pair = label[known], image[..., 0][known]
        values.append(jaccard_score(*pair, average="macro", labels=np.unique(label[known])))
    order = np.argsort(values)
    expected = [Scenes(30).names[index] for index in [*order[:12], *order[12:24]]]
    assert page.words("h3") == expected
    first, (image, label) = order[0], Scenes(30)[order[0]]
    assert f"Mean IoU {100 * values[first]:.1f} %" in page.text
    colored = np.array(pictures(page, "ground truth")[0].convert("RGB"))
    np.testing.assert_array_equal(colored[1:], PALETTE[label[1:]])
    colored = np.array(pictures(page, "prediction")[0].convert("RGB"))
    np.testing.assert_array_equal(colored, PALETTE[image[..., 0]])
    error = np.array(pictures(page, "where")[0].convert("RGB"))[1:]
    colors = {tuple(color) for color in error[(label != image[..., 0])[1:]]}
    assert len(colors) == 1
    assert not colors & {tuple(color) for color in error[(label == image[..., 0])[1:]]}


@pytest.mark.slow
def test_images_shrink_until_the_file_is_small_enough(run, tmp_path, monkeypatch, refusal):
    path, scenes = tmp_path / "report.html", Scenes(1, (700, 300))
    monkeypatch.setattr(report, "SIZES", report.SIZES[::3])
    report.write_report(run, scenes, path)
    before = path.stat().st_size
    assert {each.size for each in pictures(Page(path), "image")} == {(274, 640)}
    monkeypatch.setattr(report, "LARGEST", before // 2)
    report.write_report(run, scenes, path)
    assert path.stat().st_size <= before // 2
    sizes = {each.size for each in pictures(Page(path), "image")}
    assert all(max(size) < 640 for size in sizes)
    monkeypatch.setattr(report, "LARGEST", 1000)
    assert "report.html" in refusal(report.write_report, run, scenes, path)
    assert path.stat().st_size <= before // 2


def test_a_run_without_history_and_labels_without_classes_still_make_a_report(reader, tmp_path):
    run = Run(tmp_path, fcn.Recipe("camvid"), reader, CLASSES, PALETTE, [])
    report.write_report(run, Scenes(2, void=True), tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert "no history" in page.text and "absent" in page.text
    assert not page.words("h3") and "4 of these" not in page.text


@pytest.mark.slow
def test_a_report_fits_a_laptop_and_a_phone_offline(page, run):
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip(f"no browser at {chromium}: install the package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme, width in product(("light", "dark"), (1440, 320)):
            options = {"color_scheme": scheme, "offline": True}
            opened = browser.new_page(viewport={"width": width, "height": 800}, **options)
            errors = []
            opened.on("console", lambda message, errors=errors: errors.append(message.text))
            opened.goto((run.folder / "report.html").as_uri())
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
            drawn = "[...document.images].every((i) => i.complete && i.naturalWidth)"
            assert opened.evaluate(drawn) and errors == []
            ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", ground))) > 384) == (scheme == "light")
            opened.close()
        browser.close()
