"""A training step where freed memory is kept, beside one where it goes back to the system.

    python -m studies.speed.allocator

FCN-8s over EfficientNet-Lite0, batches of 8 crops of 256 x 256, compiled as `fcn-tutorial train`
compiles it, on as many threads as TensorFlow takes. Each turn is a process of its own, since what a
process once keeps it keeps for good. Also how much memory it held at most, in bytes.
"""

import numpy as np

from studies.common import fresh, in_turn, peak, write

TURNS, STEPS, WARM_UP = 3, 12, 3


def measure(keep):
    """Median seconds a step, and the most memory that the process has held."""
    from fcn_tutorial import training
    from fcn_tutorial.recipe import Recipe

    if not keep:
        training.keep_freed_memory = lambda: None
    recipe = Recipe.load("voc_efficientnet_fcn8s", weights="none")
    model = training.compiled_model(recipe, 21, steps_per_epoch=STEPS)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (8, 256, 256, 3)).astype(np.uint8)
    labels = random.integers(0, 21, (8, 256, 256)).astype(np.uint8)
    step = in_turn({"step": lambda: model.train_on_batch(images, labels)}, STEPS, WARM_UP)
    return float(np.median(step["step"])), peak()


def main():
    turns = [[fresh(measure, keep) for keep in (False, True)] for _ in range(TURNS)]
    seconds, held = np.median(turns, axis=0).T.tolist()
    found = {"seconds_a_step": seconds, "peak_bytes": held, "ratio": seconds[0] / seconds[1]}
    print(found)
    write(__file__, {"order": ["given back", "kept"], **found})


if __name__ == "__main__":
    main()
