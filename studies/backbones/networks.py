"""What an FCN-8s costs over each backbone, and which maps it scores.

    python -m studies.backbones.networks

Random weights: of the networks in `keras.applications`, only the architectures are tried here. A
step is one of AdamW on one image of 256 x 256 pixels, in seconds of the processor, so that whatever
else the machine does counts for nothing; run it with one thread (TF_NUM_INTRAOP_THREADS=1,
TF_NUM_INTEROP_THREADS=1, OMP_NUM_THREADS=1).
"""

import time
from pathlib import Path

import numpy as np

from studies.common import fill_table, multiply_adds

TABLE = Path(__file__).parent / "networks.csv"
SIDE, CLASSES, STEPS = 256, 21, 3
NAMES = (
    *("vgg_narrow", "mobilenet", "efficientnet_lite0", "MobileNetV2", "MobileNetV3Large"),
    *("EfficientNetV2B0", "DenseNet121", "ResNet50", "ResNet50V2", "ConvNeXtTiny", "VGG19"),
)


def measure(name):
    """One row of the table."""
    import keras

    import fcn_tutorial as fcn
    from fcn_tutorial.backbones import find_backbone
    from fcn_tutorial.taps import tap

    network = find_backbone(name).network(None)
    maps = [tap(network, stride) for stride in (8, 16, 32)]
    model = fcn.build_fcn("fcn8s", CLASSES, name)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss)
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3)).astype(np.float32)
    seconds = []
    for _ in range(1 + STEPS):
        started = time.process_time()
        model.train_on_batch(image, image[..., 0] % CLASSES)
        seconds.append(time.process_time() - started)
    return {
        "backbone": name,
        "weights": model.count_params(),
        "multiply_adds": multiply_adds(model, SIDE),
        "maps": " ".join(tap.layer for tap in maps),
        "offsets": " ".join(f"{float(tap.offset):g}" for tap in maps),
        "seconds_a_step": round(float(np.median(seconds[1:])), 2),
    }


if __name__ == "__main__":
    fill_table(TABLE, [(name,) for name in NAMES], measure)
