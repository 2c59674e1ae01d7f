"""What do weights in 8 bits cost the ImageNet classifier, and how much of it can rounding save?

    FCN_DATA=DATA python -m studies.rounding.run MODEL

MODEL is the float network, efficientnet_lite0.keras. Its large kernels are stored as int8: rounded
to the nearest number, and by GPTQ, which lets the weights that are not rounded yet make good what
the others lost. Before that, a kernel is fitted to make good what the layers before it lost. Which
class each network names is compared on random crops of VOC's photographs. The weights by GPTQ go
into the package.

Source: Frantar, Ashkboos, Hoefler and Alistarh 2023, arXiv:2210.17323, Algorithm 1.
"""

import sys

import keras
import numpy as np
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.weights import SCALE, SHIPPED, load_model, restored, store
from studies.common import write

SIDE = 224
TESTED = 5000  # crops
FITTED, FITTED_LAST = 400, 2500  # crops; a Dense layer sees one vector of each, not a map
MOST = 40_000  # vectors of a map that are used
DAMPING = 0.01  # of the mean of the diagonal of the inputs' products
SHARES = (1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)  # of the largest weight, for an output's scale


def crops(paths, count, seed):
    """Random square crops of photographs, uint8 (count, SIDE, SIDE, 3)."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        photo = Image.open(paths[rng.integers(len(paths))]).convert("RGB")
        side = rng.uniform(0.4, 1) * min(photo.size)
        left, top = (rng.uniform(0, whole - side) for whole in photo.size)
        box = (left, top, left + side, top + side)
        found.append(photo.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box))
    return np.stack(found)


def best_scales(kernel, products):
    """Of each output the scale that, rounding to nearest, loses least of its values."""
    largest = np.maximum(np.abs(kernel).max(0) / 127, 1e-12)
    candidates = [largest * share for share in SHARES]
    lost = []
    for scale in candidates:
        error = np.clip(np.rint(kernel / scale), -127, 127) * scale - kernel
        lost.append(np.einsum("iu,iu->u", error, products @ error))
    return np.choose(np.argmin(lost, 0), candidates)


def rounded(kernel, products):
    """GPTQ: int8 values and a scale of each output for a kernel (inputs, outputs).

    products: of the layer's inputs, summed over examples: (inputs, inputs), of full rank.
    """
    scale = best_scales(kernel, products)
    order = np.argsort(-np.diag(products))  # first what counts most, as it is made good best
    left = kernel[order]
    inverse = np.linalg.inv(products[np.ix_(order, order)])
    factor = np.linalg.cholesky(inverse).T
    values = np.zeros_like(left)
    for i, row in enumerate(left):
        values[i] = np.clip(np.rint(row / scale), -127, 127)
        error = (row - values[i] * scale) / factor[i, i]
        left[i + 1 :] -= np.outer(factor[i, i + 1 :], error)
    return values[np.argsort(order)].astype(np.int8), scale.astype(np.float32)


def inputs_of(model, layer, images):
    """What a convolution of 1 x 1 or a Dense layer reads: (vectors, channels), float64."""
    before = keras.Model(model.inputs, model.get_layer(layer).input)
    maps = before.predict(images, batch_size=32, verbose=0)
    return maps.reshape(-1, maps.shape[-1]).astype(np.float64)


def fit(model, exact, layer, images, rng):
    """Round the kernel of a layer of `model`, whose layers before it are rounded already."""
    kernel = keras.ops.convert_to_numpy(exact.get_layer(layer).kernel)
    ours, theirs = (inputs_of(each, layer, images) for each in (model, exact))
    some = rng.permutation(len(ours))[:MOST]
    ours, theirs = ours[some], theirs[some]
    products = ours.T @ ours
    products += DAMPING * np.diag(products).mean() * np.eye(len(products))
    flat = kernel.reshape(products.shape[0], -1).astype(np.float64)
    flat += np.linalg.solve(products, ours.T @ ((theirs - ours) @ flat))
    values, scale = rounded(flat, products)
    model.get_layer(layer).kernel.assign((values * scale).reshape(kernel.shape))
    return values.reshape(kernel.shape), scale


def main(path):
    exact, weights = load_model(path), SHIPPED / "efficientnet_lite0.npz"
    photos = fcn.load_dataset("voc2012_trainaug")
    paths = [photos.image_file(index) for index in range(len(photos))]
    tested = crops(paths, TESTED, 2)
    named = exact.predict(tested, verbose=0).argmax(-1)

    def agreement(model):
        return float(np.mean(model.predict(tested, verbose=0).argmax(-1) == named))

    store(exact, weights, 8)
    model = restored(keras.models.clone_model(exact), weights)
    found = {"nearest": agreement(model)}
    with np.load(weights) as file:
        stored = dict(file)
    large = [la.name for la in exact.layers if f"{la.name}/kernel{SCALE}" in stored]
    for name in large:  # as it was, until its turn comes
        model.get_layer(name).kernel.assign(exact.get_layer(name).kernel)
    rng, many, few = np.random.default_rng(0), crops(paths, FITTED_LAST, 3), crops(paths, FITTED, 1)
    for name in large:
        images = many if isinstance(exact.get_layer(name), keras.layers.Dense) else few
        values, scale = fit(model, exact, name, images, rng)
        stored[f"{name}/kernel"], stored[f"{name}/kernel{SCALE}"] = values, scale
        print(name, flush=True)
    np.savez_compressed(weights, **stored)
    found["gptq"] = agreement(restored(model, weights))
    print(found)
    write(__file__, {"crops": TESTED, "same_class": found, "bytes": weights.stat().st_size})


if __name__ == "__main__":
    main(sys.argv[1])
