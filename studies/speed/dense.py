"""A convolutionized classifier beside the same classifier slid over the image, window by window.

    python -m studies.speed.dense

Windows lie 32 pixels apart, the network's stride, and go through the classifier in batches of 32.
With padding, as VGG has it, a window ends in zeros where the whole image goes on, so the two give
the same scores where the window is the whole image; without padding, they do at every window. Both
is checked. Beside the measured ratio stands that of the multiply-adds.

The whole image and a batch of windows take turns, and the windows' time is the batch's times the
number of batches. Weights are random.
"""

import keras
import numpy as np

import fcn_tutorial as fcn
from studies.common import in_turn, multiply_adds, write

STRIDE, BATCH = 32, 32
TOLERANCE = 1e-3  # of the range of the scores
# What is timed: the classifier, whether it pads, and sides of the image.
CASES = (
    ("vgg_narrow", True, (512, 1024)),
    ("vgg_narrow", False, (512, 1024)),
    ("vgg16", True, (512, 768, 1024)),
)


def classifier_of(name, padded):
    """A classifier with random weights that gives scores, not probabilities."""
    if name == "vgg_narrow":
        return fcn.vgg_narrow() if padded else fcn.vgg_narrow(padding="valid", input_size=220)
    classifier = with_changes(fcn.vgg16(weights=None), 224, {"fc8": {"activation": "linear"}})
    return classifier if padded else unpadded(classifier)


def unpadded(classifier):
    """The same weights without padding, for windows as large as what one cell of `fc6` sees."""
    network = fcn.convolutionize(classifier, padding="valid")
    convolutions = [x for x in classifier.layers if isinstance(x, keras.layers.Conv2D)]
    changes = {layer.name: {"padding": "valid"} for layer in convolutions}
    return with_changes(classifier, fcn.receptive_field(network, "fc6").size, changes)


def with_changes(classifier, side, changes):
    """The same chain of layers and weights for another input size; changes: {layer: options}."""
    image = x = keras.Input((side, side, 3))
    for layer in classifier.layers[1:]:
        options = {**layer.get_config(), **changes.get(layer.name, {})}
        x = type(layer).from_config(options)(x)
    model = keras.Model(image, x)
    model.set_weights(classifier.get_weights())
    return model


def windows_of(image, side):
    """Every window of an image: (number of windows, side, side, 3), row by row."""
    view = np.lib.stride_tricks.sliding_window_view(image, (side, side), (0, 1))
    view = view[::STRIDE, ::STRIDE]
    return np.moveaxis(view.reshape(-1, 3, side, side), 1, -1)


def noise(side):
    return np.random.default_rng(side).integers(0, 256, (side, side, 3)).astype(np.float32)


def difference(classifier, side):
    """Largest difference between the dense scores and the windows', over the scores' range."""
    image = noise(side)
    network = fcn.convolutionize(classifier, padding="valid")
    dense = network.predict_on_batch(image[None])[0]
    windows = windows_of(image, classifier.input_shape[1])
    slid = classifier.predict(windows, BATCH, verbose=0).reshape(dense.shape)
    return float(np.abs(dense - slid).max() / np.ptp(slid))


def measure(classifier, side, rounds):
    """Seconds for all scores of an image, both ways, in turn; the first round does not count."""
    image, window = noise(side), classifier.input_shape[1]
    network = fcn.convolutionize(classifier, padding="valid")
    windows = np.ascontiguousarray(windows_of(image, window)[:BATCH])
    count = ((side - window) // STRIDE + 1) ** 2
    calls = {
        "dense": lambda: network.predict_on_batch(image[None]),
        "windows": lambda: classifier.predict_on_batch(windows),
    }
    dense, slid = in_turn(calls, rounds).values()
    slid = slid * count / len(windows)
    work = multiply_adds(network, side), count * multiply_adds(classifier, window)
    return {
        "side": side,
        "window": window,
        "windows": count,
        "rounds": rounds,
        "seconds": {"dense": float(np.median(dense)), "windows": float(np.median(slid))},
        "ratio": float(np.median(slid / dense)),
        "ratio_quartiles": np.quantile(slid / dense, [0.25, 0.75]).tolist(),
        "multiply_adds": {"dense": work[0], "windows": work[1]},
        "multiply_adds_ratio": work[1] / work[0],
    }


def check(name, padded):
    """The classifier, and how far its dense scores are from those of the windows."""
    classifier = classifier_of(name, padded)
    window = classifier.input_shape[1]
    # Four windows where all of them must agree, the one that is the whole image where it pads.
    found = difference(classifier, window if padded else window + STRIDE)
    assert found < TOLERANCE, (name, padded, found)
    return classifier, found


def main(rounds=5):
    rows = []
    for name, padded, sides in CASES:
        classifier, found = check(name, padded)
        for side in sides:
            row = {"backbone": name, "padded": padded, "difference": found}
            rows.append({**row, **measure(classifier, side, rounds)})
            print(f"{name}, {side} pixels: {rows[-1]['ratio']:.1f} times as fast", flush=True)
    _, found = check("vgg16", False)
    write(__file__, {"vgg16_unpadded_difference": found, "rows": rows})


if __name__ == "__main__":
    main()
