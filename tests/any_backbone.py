"""What holds for an FCN over any backbone: one check for all of them."""

import keras
import numpy as np
from keras import layers
from keras.ops import convert_to_numpy

import fcn_tutorial as fcn

# Their squeeze-and-excitation averages over the complete image, so that scores depend on all of it.
GATED = {"EfficientNetB0", "EfficientNetV2B0", "MobileNetV3Large"}
STEP = 32


def sequential():
    """A small classifier as a reader might write it."""
    blocks = [layers.Rescaling(1 / 255)]
    for channels in (8, 16, 16, 32, 32):
        blocks += [layers.Conv2D(channels, 3, padding="same", use_bias=False)]
        blocks += [layers.BatchNormalization(momentum=0.9), layers.ReLU(), layers.MaxPooling2D()]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(5)]
    return keras.Sequential([keras.Input((64, 64, 3)), *blocks, *head], name="own")


def nested():
    """The same, as one layer of another classifier, with a head that is flattened."""
    inner = sequential()
    inner.pop()
    inner.pop()
    layer = keras.Model(inner.inputs[0], inner.outputs[0], name="inner")
    image = keras.Input((64, 64, 3))
    return keras.Model(image, layers.Dense(5)(layers.Flatten()(layer(image))), name="nested")


def check(backbone, name):
    """Any size in, the same size out; scores move with the image."""
    keras.utils.set_random_seed(0)
    model = fcn.build_fcn("fcn8s", 3, backbone, dropout=0.0)
    assert model.input_shape == (None, None, None, 3)
    image = np.random.default_rng(0).integers(0, 256, (1, 352, 320, 3)).astype(np.uint8)
    for height, width in ((1, 1), (33, 70)):
        logits = convert_to_numpy(model(image[:, :height, :width]))
        assert logits.shape == (1, height, width, 3)
        assert logits.dtype == np.float32 and np.isfinite(logits).all()
    if name not in GATED:
        above, below = (convert_to_numpy(model(x)) for x in (image[:, :-STEP], image[:, STEP:]))
        middle = slice(128, 192)
        found, expected = below[:, middle, middle], above[:, 128 + STEP : 192 + STEP, middle]
        # Deep networks see past the border from everywhere, so that a little is left.
        moved = np.abs(found - above[:, middle, middle]).mean()
        assert np.abs(found - expected).mean() < 0.25 * moved
