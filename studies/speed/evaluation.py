"""What the metrics cost, compared with the prediction, and whether memory grows with the data set.

    python -m studies.speed.evaluation

A network over MobileNet with random weights labels noise of 500 x 375 pixels, 21 classes. Timed are
`segment` alone and the confusion matrix alone, in turn; memory is what Python's objects, arrays
among them, hold at most while `evaluate` goes through 20 and through 200 examples of the shapes.
"""

import tracemalloc

import numpy as np

import fcn_tutorial as fcn
from studies.common import in_turn, write

IMAGES, CLASSES = 24, 21


def times():
    """Seconds of each prediction and of each confusion matrix."""
    rng = np.random.default_rng(0)
    model = fcn.build_fcn("fcn8s", CLASSES, backbone="mobilenet", weights=None)
    image = rng.integers(0, 256, (375, 500, 3)).astype(np.uint8)
    label, prediction = rng.integers(0, CLASSES, (2, 375, 500)).astype(np.uint8)
    calls = {
        "prediction": lambda: fcn.segment(model, image),
        "metrics": lambda: fcn.confusion_matrix(label, prediction, CLASSES),
    }
    return in_turn(calls, IMAGES, warm_up=2)


def most_held(model, count):
    """Bytes that are held at most during an evaluation of `count` examples."""
    examples = fcn.load_dataset("shapes", "test", count=count)
    tracemalloc.start()
    fcn.evaluate(model, examples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main():
    medians = {name: float(np.median(seconds)) for name, seconds in times().items()}
    small = fcn.load_trained("fcn8s")
    most_held(small, 5)  # what is made once, at the first call
    content = {
        "images": IMAGES,
        **{f"{name}_seconds": seconds for name, seconds in medians.items()},
        "metrics_share_of_prediction": medians["metrics"] / medians["prediction"],
        "peak_bytes": {str(count): most_held(small, count) for count in (20, 200)},
    }
    print(content)
    write(__file__, content)


if __name__ == "__main__":
    main()
