"""What the metrics cost beside the prediction, and whether memory grows with the data set.

    python benchmarks/evaluation.py

A network over MobileNet with random weights labels noise of 500 x 375 pixels, 21 classes. Timed are
`segment` alone and the confusion matrix alone, on the same images in turn; memory is what Python
holds at most while `evaluate` goes through 20 and through 200 examples of the shapes. Writes
results/speed/evaluation.json.
"""

import json
import os
import platform
import time
import tracemalloc
from pathlib import Path

import numpy as np

import fcn_tutorial as fcn

RESULT = Path(__file__).with_suffix(".json")
IMAGES, CLASSES = 24, 21


def seconds(function, *arguments):
    started = time.perf_counter()
    answer = function(*arguments)
    return time.perf_counter() - started, answer


def shares():
    """Median seconds an image of the prediction and of the metrics."""
    rng = np.random.default_rng(0)
    model = fcn.build_fcn("fcn8s", CLASSES, backbone="mobilenet", weights=None)
    times = []
    for _ in range(2 + IMAGES):
        image = rng.integers(0, 256, (375, 500, 3)).astype(np.uint8)
        label = rng.integers(0, CLASSES, (375, 500)).astype(np.uint8)
        predicting, prediction = seconds(fcn.segment, model, image)
        counting, _ = seconds(fcn.confusion_matrix, label, prediction, CLASSES)
        times.append((predicting, counting))
    return np.median(times[2:], axis=0).tolist()


def most_held(model, count):
    """Bytes that Python's objects, arrays among them, take at most during an evaluation."""
    examples = fcn.load_dataset("shapes", "test", count=count)
    tracemalloc.start()
    fcn.evaluate(model, examples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main():
    predicting, counting = shares()
    small = fcn.load_trained("fcn8s")
    most_held(small, 5)  # what is made once, at the first call
    content = {
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine()},
        "images": IMAGES,
        "prediction_seconds": predicting,
        "metrics_seconds": counting,
        "metrics_share_of_prediction": counting / predicting,
        "peak_bytes": {str(count): most_held(small, count) for count in (20, 200)},
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(content, indent=1) + "\n")
    print(f"The metrics take {100 * counting / predicting:.1f} % of the prediction's time.")
    print(f"Memory with 20 and with 200 examples: {content['peak_bytes']}. Wrote {RESULT}.")


if __name__ == "__main__":
    main()
