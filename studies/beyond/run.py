"""FCN-8s, U-Net and a small DeepLab on one backbone, with the same budget, on the shapes.

    python -m studies.beyond.run

Trains each for 1,000 steps of 8 scenes with seeds 0 to 2 and scores it on the held-out scenes.
After each run it adds a line to table.csv beside it; runs that stand there already are
skipped. The networks are those of chapter 10.
"""

import time
from pathlib import Path

import keras
from keras import layers

import fcn_tutorial as fcn
from studies.common import fill_table, scored

STEPS, SEEDS = 1000, range(3)


def backbone():
    network = fcn.convolutionize(fcn.load_trained("classifier"))
    maps = [network.get_layer(f"block{block}_relu2").output for block in range(1, 6)]
    return network.inputs[0], maps


def mixed(x, channels, rate=1):
    x = layers.Conv2D(channels, 3, padding="same", dilation_rate=rate, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def u_net():
    image, (*skips, x) = backbone()
    for skip in reversed(skips):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skip])
        x = mixed(x, skip.shape[-1])
    return keras.Model(image, layers.Conv2D(6, 1)(x), name="u_net")


def deep_lab():
    image, maps = backbone()
    branches = [layers.Conv2D(64, 1, activation="relu")(maps[-1])]
    branches += [mixed(maps[-1], 64, rate) for rate in (1, 2, 3)]
    x = layers.Conv2D(6, 1)(layers.Concatenate()(branches))
    return keras.Model(image, fcn.BilinearUpsampling(16)(x), name="deep_lab")


def fcn8s():
    return fcn.build_fcn("fcn8s", 6, backbone="vgg_narrow", weights="shapes", dropout=0.1)


NETWORKS = {"FCN-8s": fcn8s, "U-Net": u_net, "DeepLab": deep_lab}


def measure(name, seed):
    """Train one network and return its line of the table."""
    keras.utils.set_random_seed(seed)
    net = NETWORKS[name]()
    rate = keras.optimizers.schedules.CosineDecay(3e-3, STEPS)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    net.compile(keras.optimizers.AdamW(rate), loss)
    train, test = (fcn.load_dataset("shapes", split) for split in ("train", "test"))
    data = fcn.batches(train, batch_size=8, crop_size=96, flip=True, seed=seed)
    started = time.perf_counter()
    net.fit(data, steps_per_epoch=STEPS, epochs=1, shuffle=False, verbose=0)
    seconds = round(time.perf_counter() - started)
    return {
        "network": name,
        "seed": seed,
        **scored(fcn.evaluate(net, test)),
        "weights": net.count_params(),
        "seconds": seconds,
    }


if __name__ == "__main__":
    plan = [(name, seed) for seed in SEEDS for name in NETWORKS]
    fill_table(Path(__file__).with_name("table.csv"), plan, measure)
