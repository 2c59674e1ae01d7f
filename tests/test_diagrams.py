"""Diagrams: sound SVG, legible, and with the numbers of the model that they are drawn from."""

import re
from itertools import combinations
from xml.etree import ElementTree

import keras
import numpy as np
import pytest
from keras import layers

import fcn_tutorial as fcn
from fcn_tutorial import diagrams
from fcn_tutorial.upsampling import transposed_by_loop

SVG = "{http://www.w3.org/2000/svg}"
CHARACTER, LINE = 8.2, 15  # units, at most
BETWEEN = 15  # units from a text to the next one on its line, at least


def u_net():
    image = keras.Input((None, None, 3))
    skip = layers.Conv2D(4, 3, padding="same", name="wide")(image)
    x = layers.Conv2D(5, 3, padding="same", name="deep")(layers.MaxPooling2D(2)(skip))
    x = layers.Concatenate()([layers.UpSampling2D(2)(x), skip])
    return keras.Model(image, layers.Conv2D(6, 1, name="scores")(x), name="u_net")


def deep_lab():
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="coarse")(image)
    rates = (1, 2, 3)
    branches = [
        layers.ReLU()(layers.Conv2D(7, 3, dilation_rate=r, padding="same")(x)) for r in rates
    ]
    x = layers.Conv2D(6, 1)(layers.Concatenate()(branches))
    return keras.Model(image, fcn.BilinearUpsampling(2)(x), name="deep_lab")


@pytest.fixture(scope="module")
def fcn8s():
    return fcn.build_fcn("fcn8s", 4, backbone="vgg_narrow")


@pytest.fixture(scope="module")
def kernel():
    layer = layers.Conv2D(4, 3, name="fc6")
    layer.build((None, None, None, 2))
    return layer


LABEL, LOSSES = [[0, 255, 1], [1, 0, 255]], [[0.5, 9, 1.5], [2, 0.4, 9]]
DRAW = {
    "fcn8s": lambda fcn8s, kernel: diagrams.network(fcn8s),
    "offsets": lambda fcn8s, kernel: diagrams.network(fcn8s, offsets=True, lit="skips"),
    "u_net": lambda fcn8s, kernel: diagrams.network(u_net(), 32),
    "deep_lab": lambda fcn8s, kernel: diagrams.network(deep_lab(), 32),
    "sliding_kernel": lambda fcn8s, kernel: diagrams.sliding_kernel(kernel, (5, 9)),
    "cone": lambda fcn8s, kernel: diagrams.cone(fcn8s, ["block3_pool", "block4_pool", "fc6"]),
    "masked_loss": lambda fcn8s, kernel: diagrams.masked_loss(LOSSES, LABEL),
    "stamps": lambda fcn8s, kernel: diagrams.stamps([1, 2, 3], [0.5, 1, 0.5], 2),
    "course_map": lambda fcn8s, kernel: diagrams.course_map("scores"),
}


@pytest.fixture(params=DRAW)
def drawing(request, fcn8s, kernel):
    return DRAW[request.param](fcn8s, kernel)


def elements(drawing, kind):
    return list(ElementTree.fromstring(drawing._repr_html_()).iter(SVG + kind))


def words(drawing):
    return [each.text for each in elements(drawing, "text")]


def outline(element):
    """Left, top, right and bottom of a rectangle, a picture or, roughly, a text."""
    number = {name: float(element.get(name, 0)) for name in ("x", "y", "width", "height")}
    if element.tag != SVG + "text":
        x, y = number["x"], number["y"]
        return x, y, x + number["width"], y + number["height"]
    width = CHARACTER * len(element.text)
    left = number["x"] - width / 2 * (element.get("text-anchor") == "middle")
    return left, number["y"] - LINE + 3, left + width, number["y"] + 3


def test_it_is_svg_with_a_title_and_nothing_sticks_out(drawing):
    root = ElementTree.fromstring(drawing._repr_html_())
    assert root.get("role") == "img" and root.find(f"{SVG}title").text == drawing.title
    _, _, width, height = map(float, root.get("viewBox").split())
    for each in [*root.iter(f"{SVG}rect"), *root.iter(f"{SVG}text"), *root.iter(f"{SVG}image")]:
        left, top, right, bottom = outline(each)
        assert left >= 0 and top >= 0 and right <= width and bottom <= height, each.attrib


def test_no_two_texts_touch(drawing):
    for a, b in combinations(elements(drawing, "text"), 2):
        (left, top, right, bottom), (x, y, to_x, to_y) = outline(a), outline(b)
        beside = right + BETWEEN <= x or to_x + BETWEEN <= left
        apart = beside or bottom <= y or to_y <= top
        assert apart, (a.text, b.text)


def test_a_network_shows_the_sizes_of_its_maps():
    model, side = fcn.build_fcn("fcn16s", 9, backbone="vgg_narrow"), 64
    names = ["block4_pool", "fc7", "score_fr", "score_pool4", "fuse_pool4", "logits"]
    maps = [model.get_layer(name).output for name in names]
    drawn = words(diagrams.network(model, side))
    computed = keras.Model(model.input, maps)(np.zeros((1, side, side, 3)))
    for name, found in zip(names, computed, strict=True):
        size = drawn[drawn.index(name) + 1]
        assert size == " × ".join(map(str, found.shape[1:])), name
    assert [word for word in drawn if word.startswith("× ")] == ["× 2", "× 16"]


def test_a_network_shows_strides_and_offsets(fcn8s):
    drawn = words(diagrams.network(fcn8s, offsets=True))
    strides = [word for word in drawn if word.startswith("stride")]
    assert strides == [f"stride {stride}" for stride in (1, 2, 4, 8, 16, 32)]
    for name in ("score_pool3", "score_pool4", "score_fr", "fuse_pool4", "logits"):
        offset = fcn.receptive_field(fcn8s, name).offset
        assert drawn[drawn.index(name) + 1] == f"offset {offset:g}"


def test_branches_and_joined_maps_have_their_boxes():
    drawn = words(diagrams.network(deep_lab(), 32))
    branches = [word for word in drawn if "rate" in word]
    assert branches == [f"3 × 3, rate {rate}" for rate in (1, 2, 3)] and "× 2" in drawn
    assert drawn.count("16 × 16 × 7") == 3 and "32 × 32 × 6" in drawn
    assert drawn[drawn.index("joined, 1 × 1") + 1] == "16 × 16 × 6"
    image = keras.Input((None, None, 3))
    pair = [layers.Conv2D(2, 1, name=name)(image) for name in "ab"]
    drawn = words(diagrams.network(keras.Model(image, layers.Concatenate()(pair)), 32))
    assert drawn[drawn.index("joined") + 1] == "32 × 32 × 4"
    drawn = words(diagrams.network(u_net(), 32))
    sizes = [drawn[drawn.index(name) + 1] for name in ("wide", "deep", "scores")]
    assert sizes == ["32 × 32 × 4", "16 × 16 × 5", "32 × 32 × 6"]


def test_what_scales_or_adds_to_a_map_of_its_own_makes_no_other_one():
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="first")(image)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply(name="scaled")([x, layers.Conv2D(4, 1)(gate)])
    x = layers.Add(name="residual")([x, layers.Conv2D(4, 1)(x)])
    drawn = words(diagrams.network(keras.Model(image, fcn.BilinearUpsampling(2)(x)), 8))
    sizes = [word for word in drawn if " × " in word]
    assert sizes == ["8 × 8 × 3", "4 × 4 × 4", "8 × 8 × 4", "8 × 8"]
    assert "residual" in drawn and "scaled" not in drawn


def test_a_lit_part_stands_out_and_another_name_is_refused(fcn8s, refusal):
    root = ElementTree.fromstring(diagrams.network(fcn8s, lit="skips").svg())
    faint = {each.text for group in root.iter(f"{SVG}g") for each in group.iter(f"{SVG}text")}
    assert {"image", "score_fr", "logits"} <= faint
    assert not {"score_pool3", "fuse_pool4"} & faint
    assert "lit" in refusal(diagrams.network, fcn8s, lit="soup")
    assert "lit" in refusal(diagrams.course_map, "soup")


def test_a_kernel_slides_to_every_place(kernel):
    drawn = words(diagrams.sliding_kernel(kernel, (5, 9)))
    assert {"18 × 4", "3 × 3 × 2", "5 × 9 cells", "3 × 7 cells"} <= set(drawn)


def test_a_cone_has_the_cells_that_the_last_one_sees(fcn8s):
    drawn = words(diagrams.cone(fcn8s, ["block5_pool", "fc6"]))
    size = fcn.receptive_field(fcn8s, "fc6").size
    seen = fcn.receptive_field(fcn8s, "block5_pool").size
    assert f"3 cells, each sees {seen} pixels" in drawn  # fc6's kernel has 3 x 3
    assert f"1 cell sees {size} pixels" in drawn and f"{size} pixels" in drawn


def test_void_does_not_count():
    drawing = diagrams.masked_loss(LOSSES, LABEL)
    counted = [0.5, 1.5, 2, 0.4]
    assert words(drawing)[-2:] == ["sum / 4", f"= {np.mean(counted):.3g}"]
    assert words(drawing).count("9") == 2


def test_stamps_add_up_to_a_transposed_convolution():
    cells, kernel = np.array([1.0, 2, 3]), np.array([0.5, 1, 0.5])
    drawn = words(diagrams.stamps(cells, kernel, 2))
    row = transposed_by_loop(cells[None, :, None], np.diag([0, 1, 0]) @ np.tile(kernel, (3, 1)), 2)
    total = [f"{value:.3g}" for value in row[1, :, 0]]
    assert [word for word in drawn if re.match(r"[\d.]+$", word)][-len(total) :] == total
