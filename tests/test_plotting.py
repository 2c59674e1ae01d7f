"""Overlays, colours, and figures that can be drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial import plotting
from fcn_tutorial.data.images import write_label

PALETTE = np.array([[0, 0, 0], [200, 100, 50]], np.uint8)
IMAGE = np.full((2, 2, 3), 100, np.uint8)
LABEL = np.array([[0, 1], [255, 1]], np.uint8)


@pytest.fixture(autouse=True)
def no_figures():
    plt.close("all")
    yield
    plt.close("all")


def figures():
    return [plt.figure(number) for number in plt.get_fignums()]


def test_titles_are_drawn_whole():
    images = [np.zeros((90, 160, 3), np.uint8)] * 3
    picture = plotting.picture_of(plotting.show, images, ["FCN-8s"] * 3)
    assert picture[:2].min() == 255


def test_overlay_mixes_colours_and_leaves_void_alone():
    mixed = fcn.overlay(IMAGE, LABEL, PALETTE)
    assert mixed.dtype == np.uint8
    np.testing.assert_array_equal(mixed[0], [[50, 50, 50], [150, 100, 75]])
    np.testing.assert_array_equal(mixed[1, 0], [100, 100, 100])
    np.testing.assert_array_equal(fcn.overlay(IMAGE, LABEL, PALETTE, alpha=0), IMAGE)
    opaque = fcn.overlay(IMAGE, LABEL, PALETTE, alpha=1)
    np.testing.assert_array_equal(opaque[:, 1], PALETTE[[1, 1]])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        *(({"image": np.zeros(shape, np.uint8)}, "") for shape in [(2, 2), (2, 2, 4), (1, 2, 3)]),
        *(({"palette": each}, "palette") for each in (PALETTE / 255, [[0, 0, 256]], "red", None)),
        *(({"alpha": share}, "alpha") for share in (-0.1, 1.1, "a", float("nan"))),
        *(({"label": each}, "class ids") for each in (LABEL - 0.5, LABEL.astype(int) + 1)),
    ],
)
def test_what_cannot_be_drawn_is_refused(refusal, tmp_path, changes, named):
    given = {"image": IMAGE, "label": LABEL, "palette": PALETTE, "alpha": 0.5, **changes}
    assert named in refusal(fcn.overlay, **given)
    if named == "palette":
        assert named in refusal(write_label, tmp_path / "a.png", LABEL, given["palette"])
    assert not list(tmp_path.iterdir())


def test_rows_of_a_tall_image_are_all_blended():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1100, 3, 3), np.uint8)
    label = rng.choice(np.uint8([0, 1, 255]), (1100, 3))
    share = np.where(label == 255, 0, 0.25)[..., None]
    expected = (1 - share) * image + share * PALETTE[label % 2]
    found = fcn.overlay(image, label, PALETTE, alpha=0.25)
    assert np.abs(found - expected).max() <= 0.51


def test_colorize_gives_void_its_own_colour():
    colors = plotting.colorize(LABEL, PALETTE)
    np.testing.assert_array_equal(colors[0, 1], PALETTE[1])
    np.testing.assert_array_equal(colors[1, 0], plotting.VOID_COLOR)


def test_a_name_longer_than_a_row_of_the_legend_is_drawn():
    dataset = fcn.load_dataset("shapes", "val")
    dataset.classes = ("n" * 120, *dataset.classes[1:])
    plotting.show_predictions(dataset, [0], {})
    assert len(figures()) == 1


def test_figures_show_what_they_are_given(tmp_path):
    dataset = fcn.load_dataset("shapes", "val")
    label = dataset[0][1]
    confusion = fcn.confusion_matrix(label, np.zeros_like(label), 6)
    history = [{"epoch": 1, "val_mean_iou": 0.2}, {"epoch": 2, "val_mean_iou": 0.4}]
    plotting.show([IMAGE, LABEL], titles=["image", "label"])
    plotting.show_predictions(dataset, [0], {"mine": [label]})
    plotting.show_score_maps(np.zeros((3, 3, 6)), dataset.classes)
    plotting.plot_history({"run": history})
    plotting.plot_iou({"model": fcn.scores(confusion)}, dataset.classes)
    plotting.plot_confusion(confusion, dataset.classes)
    drawn = figures()
    assert len(drawn) == 6
    assert all(figure.get_size_inches()[0] <= plotting.WIDTH for figure in drawn)
    assert [axis.get_title() for axis in drawn[1].axes] == ["image", "label", "mine"]
    np.testing.assert_array_equal(drawn[3].axes[0].lines[0].get_xydata(), [[1, 20], [2, 40]])
    plotting.draw_legend(dataset.classes, dataset.palette, tmp_path / "legend.png")
    assert fcn.read_image(tmp_path / "legend.png").ndim == 3


def test_the_bars_of_an_absent_class_are_empty():
    confusion = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    plotting.plot_iou({"model": fcn.scores(confusion)}, ("a", "b", "absent"))
    np.testing.assert_allclose([bar.get_width() for bar in plt.gca().patches], [75, 80, 0])


def test_spreads_and_boxes_show_what_they_are_given():
    plotting.plot_spread({"one": [0.1, 0.3], "two": [0.5]}, "score")
    plotting.show_boxes([IMAGE, IMAGE], [{"field": (0, 1, 2)}, {}], titles=["left", "right"])
    spread, boxes = figures()
    np.testing.assert_array_equal(spread.axes[0].lines[0].get_xdata(), [0.1, 0.3])
    np.testing.assert_allclose(spread.axes[0].lines[1].get_xdata(), [0.2, 0.2])
    assert [label.get_text() for label in spread.axes[0].get_yticklabels()] == ["one", "two"]
    assert [patch.get_bbox().bounds for patch in boxes.axes[0].patches] == [(0.5, -0.5, 2, 2)] * 2
    assert not boxes.axes[1].patches


def test_panels_share_one_legend():
    lines = {"small": ([1, 2], [3, 4]), "large": ([1, 2], [5, 6])}
    plotting.plot_panels({"speed": lines, "memory": {"small": lines["large"]}}, "pixels")
    (figure,) = figures()
    assert [axis.get_ylabel() for axis in figure.axes] == ["speed", "memory"]
    assert len(figure.legends) == 1 and not any(axis.get_legend() for axis in figure.axes)
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), [5, 6])


def test_numbers_are_written_on_small_maps_only():
    plotting.show_numbers([np.array([[0, 0.5625], [1, 12]]), np.ones((16, 16))])
    plotting.show_ids([LABEL], PALETTE)
    small, large, ids = [axis for figure in figures() for axis in figure.axes]
    assert [text.get_text() for text in small.texts] == ["0", "0.56", "1", "12"]
    assert not large.texts and [text.get_text() for text in ids.texts] == ["0", "1", "255", "1"]


def test_epochs_are_whole_numbers_on_the_axis_and_other_numbers_are_not():
    for x, whole in (([1, 2, 3, 4], True), ([0.2, 0.4, 1.0], False)):
        plotting.plot_lines({"a": (x, x)}, "x", "y")
        ticks = figures()[-1].axes[0].get_xticks()
        assert all(tick.is_integer() for tick in ticks) == whole


def test_a_strip_is_drawn_as_a_smooth_photograph_and_two_untouched_maps():
    parts = [np.full((6, 10, 3), value, np.uint8) for value in (200, 20, 90)]
    parts[0][:, 5:] = 100
    gap = np.full((6, plotting.GAP, 3), 255, np.uint8)
    plotting.show_strip(np.hstack([parts[0], gap, parts[1], gap, parts[2]]), height=8)
    drawn = [axis.images[0].get_array() for axis in figures()[-1].axes]
    assert len(np.unique(drawn[0][:20])) > 2 and drawn[0].shape == (32, 40, 3)
    for picture, part in zip(drawn[1:], parts[1:], strict=True):
        np.testing.assert_array_equal(picture[:6], part)
        assert (picture[6:] == 255).all()
