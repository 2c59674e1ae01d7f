"""FCN-32s, FCN-16s and FCN-8s: score layers on a backbone, upsampled and fused.

`score_fr` scores the deepest map at stride 32. FCN-32s upsamples it to the image at once; FCN-16s
first upsamples it twofold and adds the scores of pool4; FCN-8s does the same once more with pool3.
The dilated networks have no skips: their last poolings keep every cell, so that `score_fr` itself
lies at stride 16 or 8.

Source: Long, Shelhamer and Darrell 2015, section 4.2 and Figure 3; layer names as in the reference
release's `voc-fcn8s/net.py`. Dilation: Chen et al. 2015 (DeepLab), section 3.1 ("hole algorithm"),
and Yu and Koltun 2016.
"""

import os
import random
from fractions import Fraction

import keras

from fcn_tutorial.backbones import BACKBONES, find_backbone
from fcn_tutorial.errors import InputError, check_choice, check_number, check_whole, shown
from fcn_tutorial.layers import CropLike, DilatedPooling, PadToMultiple, RepeatEdge
from fcn_tutorial.taps import tap
from fcn_tutorial.upsampling import BilinearUpsampling
from fcn_tutorial.weights import Weights, finalize

# And the strides of their skips.
VARIANTS = {"fcn32s": (), "fcn16s": (16,), "fcn8s": (16, 8), "dilated16": (), "dilated8": ()}
SKIPS = {16: ("pool4", "upscore2"), 8: ("pool3", "upscore_pool4")}  # and what upsamples to them
STRIDE = 32
DILATED = {"dilated16": 16, "dilated8": 8}  # the stride of score_fr
MOST_DILATED = 32  # beyond, fc6 would look for more than a thousand pixels to each side
SCORE_LAYERS = ("score_fr", "score_pool4", "score_pool3")


def new_layers(backbone: str) -> tuple[str, ...]:
    """Names of the layers of an FCN over a backbone for which there are no pretrained weights."""
    return (*find_backbone(backbone).new_layers, *SCORE_LAYERS)


def build_fcn(
    variant: str,
    num_classes: int,
    backbone: str | os.PathLike | keras.Model = "vgg16",
    weights: Weights = None,
    initial: keras.Model | None = None,
    dropout: float = 0.5,
    enlarge: int = 1,
    fc6_dilation: int = 1,
    preprocessing: str | keras.layers.Layer | None = None,
) -> keras.Model:
    """Build FCN-32s, FCN-16s, FCN-8s or a dilated network over a backbone (section 4.2).

    Args:
        variant: "fcn32s", "fcn16s", "fcn8s"; over a VGG also "dilated16" and "dilated8": without
            skips, with the weights of an FCN-32s, scored at stride 16 or 8.
        num_classes: 1..255.
        backbone: "vgg16", "vgg_narrow", "mobilenet", "efficientnet_lite0", the name of a network in
            `keras.applications`, or your own classifier, as a model or a .keras file.
        weights: of the backbone: "imagenet" (for vgg_narrow "shapes"), a path, or None: random.
            Your own classifier keeps its own. Weights that Keras downloads are untested.
        initial: an FCN on the same backbone, whose weights are copied (staged training), those of
            the score layers only if it has the same number of classes.
        dropout: the rate on fc6 and fc7.
        enlarge: 1, 2 or 4: how many times the network enlarges the images before anything else.
        fc6_dilation: 1..32: the spacing of the cells of fc6's kernel, in cells of its input.
        preprocessing: what your own classifier needs before it: a Keras layer, or "caffe",
            "tf" or "torch" as in `keras.applications`.

    Returns:
        A model from images 0..255 (N, H, W, 3), any size, to float32 logits (N, H, W, num_classes).

    Raises:
        InputError: an argument is out of range, two do not go together, or weights do not fit.
    """
    found = find_backbone(backbone, preprocessing)
    check_choice("variant", variant, VARIANTS)
    if variant in DILATED and not found.pools:
        able = " or ".join(name for name, each in BACKBONES.items() if each.pools)
        raise InputError(f"variant {variant!r} cannot be built on {shown(backbone)}: use {able}.")
    check_whole("num_classes", num_classes, 1, 255)  # not 256, as 255 marks void
    check_choice("enlarge", check_whole("enlarge", enlarge, 1), (1, 2, 4))
    check_whole("fc6_dilation", fc6_dilation, 1, MOST_DILATED)
    check_number("dropout", dropout, 0, 1)
    stride, dropped = DILATED.get(variant, STRIDE), dict.fromkeys(found.dropped, dropout)
    network = _adapted(found.network(weights), stride, enlarge, fc6_dilation, dropped)
    if variant in DILATED:
        logits = _dilated_logits(network, stride, num_classes, enlarge)
    else:
        logits = _logits(network, VARIANTS[variant], num_classes, enlarge)
    cropped = CropLike(name="logits", dtype="float32")([logits, network.input])
    model = keras.Model(network.input, cropped, name=variant)
    if initial is not None:
        _copy_weights(initial, model)
    return model


def _adapted(published, stride, enlarge, fc6_dilation, dropped):
    """A network with its weights, for images of any size, with no map coarser than `stride`.

    Images are enlarged and padded to whole cells of the coarsest map. A pooling that would make the
    grid too coarse keeps every cell instead; each kernel behind it is spread, so that it still sees
    the cells that it saw before, and fc6's as asked for on top of that. dropped: rates of dropout
    by the name of the layer that it follows.
    """
    reached, rate = 1, 1

    def call(layer, *inputs, **options):
        nonlocal reached, rate
        if isinstance(layer, keras.layers.MaxPooling2D) and stride < STRIDE:
            if reached == stride:
                x, rate = DilatedPooling(rate, name=layer.name)(*inputs), 2 * rate
            else:
                x, reached = layer(*inputs), 2 * reached
        elif isinstance(layer, keras.layers.Conv2D):
            x = _spread(layer, *inputs, rate * (fc6_dilation if layer.name == "fc6" else 1))
        else:
            x = layer(*inputs, **options)
        if layer.name == "preprocessing":
            x = BilinearUpsampling(enlarge, name="enlarge")(x) if enlarge > 1 else x
            x = PadToMultiple(STRIDE, name="pad")(x)
        return _dropout(dropped[layer.name], layer.name)(x) if layer.name in dropped else x

    network = keras.models.clone_model(published, call_function=call)
    _copy_weights(published, network)
    return network


def _spread(layer, x, rate):
    """Apply a convolution, its kernel's cells `rate` apart, to a symbolic map."""
    if rate == 1 or layer.kernel_size == (1, 1):
        return layer(x)
    changes = {"dilation_rate": rate}
    if any(size % 2 == 0 for size in layer.kernel_size):
        # Keras's own "same" would lay a spread kernel of even size on other cells than before.
        sides = [((size - 1) // 2 * rate, size // 2 * rate) for size in layer.kernel_size]
        x = keras.layers.ZeroPadding2D(sides, name=f"pad_{layer.name}")(x)
        changes["padding"] = "valid"
    return type(layer).from_config({**layer.get_config(), **changes})(x)


def _dropout(rate, name):
    # On PyTorch, dropout has a state of its own, at which a run can resume, only with a seed.
    seed = random.randint(1, 10**9) if keras.backend.backend() == "torch" else None
    return keras.layers.Dropout(rate, seed=seed, name=f"drop_{name}")


def _logits(network, strides, num_classes, enlarge):
    """Score the maps, upsample and fuse the scores; returns them at the image's size."""
    strides = (STRIDE, *strides)
    # What enlarged the image need not be undone: the scores are upsampled that much less.
    maps = [tap(network, Fraction(stride, enlarge)) for stride in strides]
    x = _score("score_fr", num_classes)(maps[0].map)
    for stride, coarse, skip in zip(strides[1:], maps, maps[1:], strict=False):
        name, upscore = SKIPS[stride]
        upsample = BilinearUpsampling(*coarse.upsampling(skip), name=upscore)
        score = _score(f"score_{name}", num_classes, zero=True)
        x = score_and_fuse(x, skip.map, score, upsample, f"fuse_{name}")
    options = {"name": f"upscore{strides[-1]}", "dtype": "float32"}
    return BilinearUpsampling(*maps[-1].upsampling(), **options)(x)


def _dilated_logits(network, stride, num_classes, enlarge):
    x = _score("score_fr", num_classes)(network.output)
    x = BilinearUpsampling(stride // enlarge, name=f"upscore{stride}", dtype="float32")(x)
    # The first cell lies where that of stride 32 lay, not at this stride's (stride - 1) / 2.
    before = (STRIDE - stride) // 2 // enlarge
    return RepeatEdge(before, name="aligned", dtype="float32")(x)


def score_and_fuse(
    coarse: keras.KerasTensor,
    skip: keras.KerasTensor,
    score: keras.layers.Layer,
    upsample: keras.layers.Layer,
    fuse: str | None = None,
) -> keras.KerasTensor:
    """Upsample coarse scores twofold and add the scores of a finer map (section 4.2, Figure 3).

    Args:
        coarse: symbolic scores (N, H, W, classes).
        skip: symbolic map (N, 2 H, 2 W, C).
        score: layer that scores `skip`.
        upsample: layer that makes `coarse` twice as large.
        fuse: name of the layer that adds them.

    Returns:
        Symbolic scores (N, 2 H, 2 W, classes).
    """
    return keras.layers.Add(name=fuse)([upsample(coarse), score(skip)])


def _score(name, num_classes, zero=False):
    # From zero, the skips start out adding nothing: the network gives what the coarser one gives.
    initializer = "zeros" if zero else "glorot_uniform"
    return keras.layers.Conv2D(num_classes, 1, kernel_initializer=initializer, name=name)


def _copy_weights(initial, model):
    """Copy weights layer by layer; score layers that are new or of other classes keep their own."""
    if not isinstance(initial, keras.Model):
        raise InputError(f"initial must be a Keras model, got {shown(initial)}: load it first.")
    theirs = {layer.name: layer for layer in initial.layers if layer.weights}
    for layer in model.layers:
        source = theirs.get(layer.name)
        if source and [w.shape for w in source.weights] == [w.shape for w in layer.weights]:
            layer.set_weights(source.get_weights())
        elif layer.weights and layer.name not in SCORE_LAYERS:
            raise InputError(
                f"initial model {initial.name!r} does not fit: its layer {layer.name!r} is missing "
                "or has another shape; build it with the same backbone."
            )
    finalize(model.layers)
