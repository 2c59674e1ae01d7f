"""A convolutionized classifier equals the classifier, in one place and slid over the image."""

from functools import partial
from itertools import product

import keras
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from keras.ops import convert_to_numpy
from networks import assert_close, layers_that_differ

import fcn_tutorial as fcn
from fcn_tutorial.data.shapes import single_shapes


def image_of(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


def randomize(model, seed):
    """Give every weight a value of its own, biases and moving statistics included."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        spread = rng.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(spread) + 0.5 if "variance" in weight.path else spread)
    return model


def trunk(x, residual):
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    if residual:
        x = layers.Add()([x, layers.Conv2D(4, 3, padding="same")(x)])
    return layers.BatchNormalization()(x)


def head_layers(kind, neck=layers.Flatten):
    dense, dropout = partial(layers.Dense, 5), layers.Dropout(0.5)
    heads = {
        "one": [dense()],
        "softmax": [dense(activation="relu"), dropout, dense(activation="softmax")],
        "layers": [dense(), layers.BatchNormalization(), layers.ReLU(), dense(), layers.Softmax()],
        "early": [dropout, layers.Activation("tanh"), dense(activation="relu"), dense()],
    }
    return [neck(), *heads[kind]]


HEADS = ["early", "layers", "one", "softmax"]
NECKS = [layers.Flatten, layers.GlobalAveragePooling2D]


def classifier_of(kind, grid, head, seed, neck=layers.Flatten):
    """A classifier whose head sees grid cells, on images of twice as many pixels."""
    image = keras.Input((2 * grid[0], 2 * grid[1], 3))
    if kind == "sequential":
        convolution = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")
        return randomize(keras.Sequential([image, convolution, *head_layers(head, neck)]), seed)
    x = trunk(image, residual=kind == "residual")
    for layer in head_layers(head, neck):
        x = layer(x)
    return randomize(keras.Model(image, x, name=kind), seed)


@settings(max_examples=6, deadline=None)
@given(
    kind=st.sampled_from(["sequential", "functional", "residual"]),
    grid=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    head=st.sampled_from(HEADS),
    seed=st.integers(0, 1000),
    neck=st.sampled_from(NECKS),
)
def test_a_cell_gives_the_classifiers_scores(kind, grid, head, seed, neck):
    """The only one where nothing is padded; the centre one where the grid stays."""
    classifier = classifier_of(kind, grid, head, seed, neck)
    (rows, columns), (height, width) = grid, classifier.input_shape[1:3]
    image = image_of(2, height, width, 3, seed=seed)
    expected = convert_to_numpy(classifier(image))
    only, same = fcn.convolutionize(classifier, padding="valid"), fcn.convolutionize(classifier)
    assert only.input_shape == same.input_shape == (None, None, None, 3)
    assert_close(only(image), expected[:, None, None])
    scores = convert_to_numpy(same(image))
    assert scores.shape == (2, rows, columns, 5)
    assert_close(scores[:, (rows - 1) // 2, (columns - 1) // 2], expected)
    assert same(image_of(1, height + 6, width + 8, 3)).shape == (1, rows + 3, columns + 4, 5)


def unpadded_classifier(head, seed, nested=False, neck=layers.Flatten):
    """Its trunk pads nothing, has stride 4, and gives 2 x 3 cells on an image of 15 x 19."""
    body = [
        layers.Conv2D(4, 3, strides=2, activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2D(6, 3, activation="relu"),
        layers.MaxPooling2D(2),
    ]
    if nested:
        body = [keras.Sequential([keras.Input((15, 19, 3)), *body], name="trunk")]
    complete = [keras.Input((15, 19, 3)), *body, *head_layers(head, neck)]
    return randomize(keras.Sequential(complete), seed)


@pytest.mark.parametrize(
    ("head", "neck", "nested"),
    [*product(HEADS, NECKS, [False]), ("one", layers.Flatten, True)],
)
def test_valid_equals_the_classifier_slid_over_a_larger_image(head, neck, nested):
    classifier = unpadded_classifier(head, 1, nested, neck)
    image = image_of(1, 15 + 3 * 4, 19 + 2 * 4, 3)
    scores = fcn.convolutionize(classifier, padding="valid")(image)
    for i in range(4):
        windows = [image[0, 4 * i : 4 * i + 15, 4 * j : 4 * j + 19] for j in range(3)]
        assert_close(scores[0, i], classifier(np.stack(windows)))


@pytest.mark.parametrize("head", ["layers", "softmax"])
def test_layers_keep_their_names_activations_and_weights(head):
    classifier = unpadded_classifier(head, seed=3)
    network = fcn.convolutionize(classifier)
    assert network.name == f"{classifier.name}_convolutional"
    assert network.layers[0].name == "image"
    names = [layer.name for layer in classifier.layers if not isinstance(layer, layers.Flatten)]
    assert [layer.name for layer in network.layers[1:]] == names
    assert not layers_that_differ(network, classifier)
    assert not set(map(id, classifier.weights)) & set(map(id, network.weights))  # but copies
    for layer in classifier.layers:
        if isinstance(layer, layers.Dense):
            assert network.get_layer(layer.name).activation is layer.activation


@pytest.mark.parametrize("neck", NECKS)
def test_a_sequential_classifier_from_a_file_is_convolutionized(neck, tmp_path):
    classifier = classifier_of("sequential", (2, 3), "one", 0, neck)
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.models.load_model(tmp_path / "classifier.keras")
    ours, theirs = (fcn.convolutionize(each) for each in (loaded, classifier))
    image = image_of(1, 6, 7, 3)
    assert_close(ours(image), theirs(image))


def test_an_average_keeps_its_name_and_the_maps_grid():
    classifier = classifier_of("functional", (3, 5), "one", 0, layers.GlobalAveragePooling2D)
    (name,) = (la.name for la in classifier.layers if "global_average" in la.name)
    network = fcn.convolutionize(classifier)
    assert isinstance(network.get_layer(name), layers.AveragePooling2D)
    assert network(image_of(1, 6, 10, 3)).shape == (1, 3, 5, 5)


def with_head(*head, grid=(2, 3)):
    convolution = layers.Conv2D(4, 3, strides=2, padding="same")
    body = [keras.Input((2 * grid[0], 2 * grid[1], 3)), convolution, layers.Flatten()]
    return randomize(keras.Sequential([*body, *head]), seed=6)


@pytest.mark.parametrize("kind", ["BatchNormalization", "LayerNormalization", "ReLU", "Softmax"])
def test_a_layer_that_works_on_each_cell_alone_may_stand_in_the_head(kind):
    dense = layers.Dense(4, use_bias=False)
    make = getattr(layers, kind)
    classifier = with_head(layers.Dense(5), make(), dense, make())
    image = image_of(2, 4, 6, 3)
    network = fcn.convolutionize(classifier, padding="valid")
    assert_close(network(image)[:, 0, 0], classifier(image))
    assert network.count_params() == classifier.count_params()


# What the centre cell says.


def test_three_classes_are_named_of_equal_ones_the_first(refusal):
    classifier = with_head(layers.Dense(60))
    classifier.set_weights([np.zeros_like(weight) for weight in classifier.get_weights()])
    network = fcn.convolutionize(classifier)
    found = fcn.top_classes(network, np.zeros((4, 6, 3), np.uint8).tolist())
    assert [index for index, _ in found] == [0, 1, 2]
    assert [value for _, value in found] == [pytest.approx(1 / 60)] * 3
    assert fcn.top_classes(network, np.zeros((4, 6, 3)), count=1) == found[:1]
    assert len(fcn.top_classes(network, np.zeros((4, 6, 3)), count=60)) == 60
    for count in (0, -1, 61, 1.5, None):
        assert "count must be" in refusal(fcn.top_classes, network, np.zeros((4, 6, 3)), count)


def test_scores_of_a_layer_without_an_activation_are_logits():
    classifier = with_head(layers.Dense(5), layers.BatchNormalization())
    image = image_of(4, 6, 3)
    expected = scipy.special.softmax(convert_to_numpy(classifier(image[None]))[0])
    found = fcn.top_classes(fcn.convolutionize(classifier), image, count=5)
    assert dict(found) == pytest.approx(dict(enumerate(expected.tolist())), abs=1e-5)
    assert all(type(index) is int and type(value) is float for index, value in found)


@pytest.mark.parametrize(("head", "padding"), [("softmax", "same"), ("layers", "valid")])
def test_centre_cell_of_a_larger_image_sees_its_centre(head, padding):
    """Stride 4, and a window of 15 x 19 pixels that leaves 8 rows and 12 columns on each side."""
    classifier = unpadded_classifier(head, seed=1)
    image = image_of(15 + 2 * 8, 19 + 2 * 12, 3)
    window = convert_to_numpy(classifier(image[None, 8:-8, 12:-12]))[0]
    network = fcn.convolutionize(classifier, padding)
    best, _ = found = fcn.top_classes(network, image, count=2)
    assert best[0] == window.argmax()
    np.testing.assert_allclose([value for _, value in found], np.sort(window)[:-3:-1], atol=1e-5)


@pytest.mark.slow
def test_the_shapes_classifier_names_shapes_alone_and_in_the_centre_of_a_scene():
    network = fcn.convolutionize(fcn.load_trained("classifier"))
    for size, right in ((96, 0.95), (96 + 2 * 64, 0.8)):
        images, classes = single_shapes(36, size=size, seed=1)
        found = [fcn.top_classes(network, image)[0][0] for image in images]
        assert np.mean(found == classes) >= right


# Classifiers that cannot be made convolutional.


def refused(*head):
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), *head])


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ([layers.GlobalAveragePooling2D(), layers.ReLU()], "no Dense"),
        ([layers.Conv2D(5, 1)], "0 layers"),
        ([layers.Flatten()], "no Dense"),
        ([layers.Flatten(), layers.Flatten(), layers.Dense(5)], "2 layers"),
        ([layers.Reshape((-1,)), layers.Flatten(), layers.Dense(5)], "feature map"),
        ([layers.Flatten(), layers.ReLU(), layers.BatchNormalization(), layers.Dense(5)], "(Batch"),
        ([layers.Flatten(), layers.Softmax(), layers.Dense(5)], "(Softmax)"),
        ([layers.Flatten(), layers.Dense(5), layers.Softmax(axis=1)], "(Softmax)"),
        ([layers.Flatten(), layers.Activation("softmax"), layers.Dense(5)], "(Activation)"),
        ([layers.Flatten(), layers.Reshape((-1, 1)), layers.Dense(5)], "(Reshape)"),
        ([layers.Flatten(), layers.LayerNormalization(), layers.Dense(5)], "(LayerNorm"),
        ([layers.Flatten(), layers.ReLU(), layers.Activation("tanh")], "no Dense"),
    ],
)
def test_head_that_is_no_chain_to_dense_is_refused(refusal, head, says):
    assert says in refusal(fcn.convolutionize, refused(*head))


def test_a_head_with_branches_is_refused(refusal):
    image = keras.Input((8, 8, 3))
    x = layers.Flatten()(layers.Conv2D(4, 3)(image))
    pair = [layers.Dense(5)(x), layers.Dense(5)(x)]
    for scores in (layers.Add()(pair), pair):
        assert "follow" in refusal(fcn.convolutionize, keras.Model(image, scores))


@pytest.mark.parametrize("sides", [(None, 8), (8, None)])
def test_a_map_of_unknown_size_is_refused(refusal, sides):
    head = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(5)]
    classifier = keras.Sequential([keras.Input((*sides, 3)), *head])
    assert "known size" in refusal(fcn.convolutionize, classifier)


def test_unknown_padding_and_what_is_no_model_with_an_input_are_refused(refusal):
    classifier = refused(layers.Flatten(), layers.Dense(5))
    assert "padding 'full'" in refusal(fcn.convolutionize, classifier, padding="full")
    for other in (None, "vgg16", keras.Sequential([layers.Dense(2)])):
        assert "has no input yet" in refusal(fcn.convolutionize, other)
