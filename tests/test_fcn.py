"""FCN-32s, FCN-16s and FCN-8s: any size in, logits of that size out; staged building; saving."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.ops import convert_to_numpy
from networks import assert_close, image_of, layers_that_differ, perturb, zoomed

import fcn_tutorial as fcn
from fcn_tutorial.fcn import new_layers

NUM_CLASSES = 3
SKIPS = ["score_pool4", "score_pool3"]


def outputs_of(model, image, *names):
    part = keras.Model(model.input, {name: model.get_layer(name).output for name in names})
    outputs = part(image)
    return [convert_to_numpy(outputs[name]) for name in names]


@pytest.fixture(scope="module")
def staged():
    """The variants, each built from a coarser one."""
    models = {"fcn32s": perturb(fcn.build_fcn("fcn32s", NUM_CLASSES, "vgg_narrow"))}
    coarser = {"fcn16s": "fcn32s", "fcn8s": "fcn16s", "dilated16": "fcn32s", "dilated8": "fcn32s"}
    for name, other in coarser.items():
        models[name] = fcn.build_fcn(name, NUM_CLASSES, "vgg_narrow", initial=models[other])
    return models


@settings(max_examples=5, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), batch=st.integers(1, 2))
@pytest.mark.slow
def test_logits_are_float32_at_any_images_size(staged, height, width, batch):
    for model in staged.values():
        assert model.input_shape == (None, None, None, 3)
        assert model.output_shape == (None, None, None, NUM_CLASSES)
        logits = convert_to_numpy(model(image_of(height, width, batch)))
        assert logits.shape == (batch, height, width, NUM_CLASSES)
        assert logits.dtype == np.float32 and np.isfinite(logits).all()


def test_image_is_padded_at_the_bottom_right_with_what_preprocesses_to_zero(staged):
    model, image = staged["fcn8s"], image_of(33, 50).astype(np.float32)
    padded = np.pad(image, ((0, 0), (0, 31), (0, 14), (0, 0)), constant_values=127.5)
    assert_close(model(image), convert_to_numpy(model(padded))[:, :33, :50])


def test_a_network_starts_as_the_coarser_one_upsampled_in_two_steps(staged):
    """FCN-32s upsamples score_fr at once; the others go twofold up to each skip, which is zero."""
    image = image_of(70, 40)
    (coarse,) = outputs_of(staged["fcn32s"], image, "score_fr")
    for variant, factor in (("fcn32s", 32), ("fcn16s", 16), ("fcn8s", 8)):
        coarse = zoomed(coarse, 2) if variant != "fcn32s" else coarse
        logits = convert_to_numpy(staged[variant](image))
        assert_close(logits, zoomed(coarse, factor)[:, :70, :40])


def test_skips_are_added_to_the_scores_upsampled_twofold():
    model = perturb(fcn.build_fcn("fcn8s", NUM_CLASSES, "vgg_narrow"))
    image = image_of(70, 40)
    score_fr, pool4, pool3 = outputs_of(model, image, "score_fr", *SKIPS)
    assert [maps.shape[1:3] for maps in (score_fr, pool4, pool3)] == [(3, 2), (6, 4), (12, 8)]
    expected = zoomed(zoomed(zoomed(score_fr, 2) + pool4, 2) + pool3, 8)[:, :70, :40]
    assert_close(model(image), expected)


# Where the weights come from.


def test_narrow_vgg_takes_the_weights_of_a_saved_classifier(tmp_path):
    classifier, path = fcn.vgg_narrow(num_classes=5, input_size=64), tmp_path / "classifier.keras"
    perturb(classifier).save(path)
    model = fcn.build_fcn("fcn32s", NUM_CLASSES, backbone="vgg_narrow", weights=path)
    assert layers_that_differ(model, classifier) == {"score_fr"}


@pytest.mark.slow
def test_mobilenet_takes_the_weights_of_kerass_file(tmp_path, monkeypatch):
    published = perturb(keras.applications.MobileNet(include_top=False, weights=None))
    path = tmp_path / "mobilenet_1_0_224_no_top.weights.h5"
    published.save_weights(path)
    monkeypatch.setenv("FCN_WEIGHTS", str(tmp_path))
    for weights in ("imagenet", path):
        model = fcn.build_fcn("fcn32s", NUM_CLASSES, backbone="mobilenet", weights=weights)
        assert layers_that_differ(model, published) == {"fc6", "fc7", "score_fr"}


@pytest.mark.slow
def test_efficientnet_takes_the_weights_of_a_classifier(tmp_path):
    classifier, file = fcn.load_trained("efficientnet_lite0"), tmp_path / "saved.keras"
    for weights in ("imagenet", file):
        if weights == file:
            perturb(classifier).save(file)
        model = fcn.build_fcn("fcn32s", NUM_CLASSES, "efficientnet_lite0", weights=weights)
        assert layers_that_differ(model, classifier) == {"fc6", "fc6_bn", "score_fr"}
    logits = convert_to_numpy(model(image_of(33, 50)))
    assert logits.shape == (1, 33, 50, NUM_CLASSES) and np.isfinite(logits).all()


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "factor"), [("fcn8s", 4), ("dilated8", 2)])
def test_enlarging_is_seeing_the_image_enlarged(variant, factor):
    """Scores of the image enlarged before, then averaged over what one pixel has become."""
    plain = perturb(fcn.build_fcn(variant, NUM_CLASSES, "vgg_narrow"), seed=1)
    enlarging = fcn.build_fcn(variant, NUM_CLASSES, "vgg_narrow", enlarge=factor)
    enlarging.set_weights(plain.get_weights())
    image = image_of(20, 37)
    scores = plain.predict_on_batch(zoomed(image.astype(float), factor))
    blocks = scores.reshape(1, 20, factor, 37, factor, NUM_CLASSES)
    ours = enlarging.predict_on_batch(image)
    np.testing.assert_allclose(ours, blocks.mean(axis=(2, 4)), atol=1e-3 * np.abs(scores).max())


@pytest.mark.slow
def test_a_dilated_fc6_has_zeros_between_the_cells_of_its_kernel():
    plain = perturb(fcn.build_fcn("fcn8s", NUM_CLASSES, "vgg_narrow"))
    model = fcn.build_fcn("fcn8s", NUM_CLASSES, "vgg_narrow", initial=plain, fc6_dilation=3)
    seen, found = outputs_of(model, image_of(150, 97), "block5_pool", "fc6")
    kernel, bias = model.get_layer("fc6").get_weights()
    expected = keras.ops.conv(seen, kernel, padding="same", dilation_rate=3) + bias
    assert_close(found, keras.ops.relu(expected))
    field, before = (fcn.receptive_field(model, name).size for name in ("fc6", "block5_pool"))
    assert field == before + 32 * 3 * (len(kernel) - 1)


def test_layers_without_pretrained_weights_are_named():
    head = {"score_fr", *SKIPS}
    assert set(new_layers("vgg_narrow")) == set(new_layers("vgg16")) == head
    assert set(new_layers("mobilenet")) == {"fc6", "fc7", *head}
    for other in ("efficientnet_lite0", "ResNet50"):
        assert set(new_layers(other)) == {"fc6", "fc6_bn", *head}


@pytest.mark.slow
def test_score_layers_start_new_where_the_initial_model_has_other_classes():
    initial = perturb(fcn.build_fcn("fcn8s", 3, "vgg_narrow"))
    model = fcn.build_fcn("fcn8s", 4, "vgg_narrow", initial=initial)
    assert layers_that_differ(model, initial) == {"score_fr", *SKIPS}
    assert not any(model.get_layer(name).get_weights()[0].any() for name in SKIPS)
    assert model.get_layer("score_fr").get_weights()[0].any()


# What is refused.


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"variant": "fcn4s"}, "'fcn4s'"),
        ({"variant": "dilated4"}, "dilated16, dilated8"),
        ({"variant": "dilated8", "backbone": "mobilenet"}, "vgg16 or vgg_narrow"),
        ({"num_classes": 0}, "got 0"),
        ({"num_classes": 256}, "got 256"),
        ({"enlarge": 3}, "enlarge 3"),
        ({"fc6_dilation": 0}, "from 1 to 32, got 0"),
        ({"fc6_dilation": 33}, "from 1 to 32, got 33"),
        ({"initial": "fcn32s"}, "'fcn32s'"),
        ({"dropout": 2}, "dropout"),
        ({"weights": "no/such/file.keras"}, "no/such/file.keras"),
        ({"backbone": "vgg16", "weights": "no/such/file.h5"}, "no/such/file.h5"),
    ],
)
def test_unusable_argument_is_refused(refusal, arguments, says):
    usable = {"variant": "fcn8s", "num_classes": 3, "backbone": "vgg_narrow", "weights": None}
    assert says in refusal(fcn.build_fcn, **{**usable, **arguments})


def test_a_model_that_is_no_vgg_is_refused_as_weights_and_as_initial(refusal, tmp_path):
    image, path = keras.Input((32, 32, 3)), tmp_path / "other.keras"
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image))
    other = keras.Model(image, keras.layers.Dense(2)(x))
    other.save(path)
    assert str(path) in refusal(fcn.build_fcn, "fcn32s", 3, "vgg_narrow", weights=path)
    message = refusal(fcn.build_fcn, "fcn8s", 3, "vgg_narrow", weights=None, initial=other)
    assert "same backbone" in message
