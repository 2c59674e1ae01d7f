"""FCN-32s, FCN-16s and FCN-8s: score layers on a backbone, upsampled and fused.

`score_fr` scores the deepest map at stride 32. FCN-32s upsamples it to the image at once; FCN-16s
first upsamples it twofold and adds the scores of pool4; FCN-8s does the same once more with pool3.
The dilated networks have no skips: their last poolings keep every cell, so that `score_fr` itself
lies at stride 16 or 8.

Source: Long, Shelhamer and Darrell 2015, section 4.2 and Figure 3; layer names as in the reference
release's `voc-fcn8s/net.py`. Dilation: Chen et al. 2015 (DeepLab), section 3.1 ("hole algorithm"),
and Yu and Koltun 2016.
"""

import random

import keras

from fcn_tutorial.backbones import BACKBONES
from fcn_tutorial.errors import InputError, check_choice, check_whole
from fcn_tutorial.layers import CropLike, DilatedPooling, PadToMultiple, RepeatEdge
from fcn_tutorial.upsampling import BilinearUpsampling
from fcn_tutorial.weights import Weights

VARIANTS: dict[str, tuple[str, ...]] = {
    "fcn32s": (),
    "fcn16s": ("pool4",),
    "fcn8s": ("pool4", "pool3"),
    "dilated16": (),
    "dilated8": (),
}
STRIDE = 32
DILATED = {"dilated16": 16, "dilated8": 8}  # the stride of score_fr
ENLARGE = (1, 2, 4)
MOST_DILATED = 32  # beyond, fc6 would look for more than a thousand pixels to each side
SCORE_LAYERS = ("score_fr", "score_pool4", "score_pool3")


def new_layers(backbone: str) -> tuple[str, ...]:
    """Names of the layers of an FCN over a backbone for which there are no pretrained weights."""
    return (*BACKBONES[backbone].new_layers, *SCORE_LAYERS)


def build_fcn(
    variant: str,
    num_classes: int,
    backbone: str = "vgg16",
    weights: Weights = None,
    initial: keras.Model | None = None,
    dropout: float = 0.5,
    enlarge: int = 1,
    fc6_dilation: int = 1,
) -> keras.Model:
    """Build FCN-32s, FCN-16s, FCN-8s or a dilated network over a backbone (section 4.2).

    Args:
        variant: "fcn32s", "fcn16s", "fcn8s"; over a VGG also "dilated16" and "dilated8": without
            skips, with the weights of an FCN-32s, scored at stride 16 or 8.
        num_classes: 1..255.
        backbone: a name in `backbones.BACKBONES`.
        weights: of the backbone: "imagenet" (for vgg_narrow "shapes"), a path, or None: random.
        initial: a coarser FCN over the same backbone, to copy the weights of (staged training).
        dropout: the rate on fc6 and fc7.
        enlarge: 1, 2 or 4: how many times the network enlarges the images before all else.
        fc6_dilation: 1..32: how many cells of its map the cells of fc6's kernel lie apart.

    Returns:
        A model from images 0..255 (N, H, W, 3), any size, to float32 logits (N, H, W, num_classes).

    Raises:
        InputError: an argument is out of range, two do not go together, or weights do not fit.
    """
    _check(variant, num_classes, backbone, enlarge, fc6_dilation)
    trunk, stride = BACKBONES[backbone], DILATED.get(variant, STRIDE)
    dropped = dict.fromkeys(trunk.dropped, dropout)
    network = _adapted(trunk.network(weights), stride, enlarge, fc6_dilation, dropped)
    taps = {"pool3": trunk.taps[0], "pool4": trunk.taps[1]}
    skips = {name: network.get_layer(taps[name]).output for name in VARIANTS[variant]}
    logits = _logits(network, skips, num_classes, stride, enlarge)
    model = keras.Model(network.input, logits, name=variant)
    if initial is not None:
        _copy_initial(initial, model)
    return model


def _check(variant, num_classes, backbone, enlarge, fc6_dilation):
    check_choice("variant", variant, VARIANTS)
    check_choice("backbone", backbone, BACKBONES)
    if variant in DILATED and not BACKBONES[backbone].pools:
        able = " or ".join(name for name, each in BACKBONES.items() if each.pools)
        raise InputError(f"variant {variant!r} cannot stand on {backbone!r}: use {able}.")
    check_whole("num_classes", num_classes, 1, 255)  # not 256, as 255 marks void
    check_choice("enlarge", enlarge, ENLARGE)
    check_whole("fc6_dilation", fc6_dilation, 1, MOST_DILATED)


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
        if isinstance(layer, keras.layers.MaxPooling2D):
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
    for layer in published.layers:
        if layer.weights:
            network.get_layer(layer.name).set_weights(layer.get_weights())
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


def _logits(network, skips, num_classes, stride, enlarge):
    """Score the maps, upsample and fuse the scores; returns them at the image's size."""
    x = _score("score_fr", num_classes)(network.output)
    finer = stride
    for skip, taken in skips.items():
        score = _score(f"score_{skip}", num_classes, zero=True)
        upscore = "upscore2" if skip == "pool4" else "upscore_pool4"
        x = score_and_fuse(x, taken, score, upscore, f"fuse_{skip}")
        finer //= 2
    # What enlarged the image need not be undone: the scores are upsampled that much less.
    x = BilinearUpsampling(finer // enlarge, name=f"upscore{finer}", dtype="float32")(x)
    if stride < STRIDE:
        # The first cell lies where that of stride 32 lay, not at this stride's (stride - 1) / 2.
        before = (STRIDE - stride) // 2 // enlarge
        x = RepeatEdge(before, name="aligned", dtype="float32")(x)
    return CropLike(name="logits", dtype="float32")([x, network.input])


def score_and_fuse(
    coarse: keras.KerasTensor,
    skip: keras.KerasTensor,
    score: keras.layers.Layer,
    upscore: str | None = None,
    fuse: str | None = None,
) -> keras.KerasTensor:
    """Upsample coarse scores twofold and add the scores of a finer map (section 4.2, Figure 3).

    Args:
        coarse: symbolic scores (N, H, W, classes).
        skip: symbolic map (N, 2 H, 2 W, C).
        score: layer that scores `skip`.
        upscore, fuse: names of the two new layers.

    Returns:
        Symbolic scores (N, 2 H, 2 W, classes).
    """
    upsampled = BilinearUpsampling(2, name=upscore)(coarse)
    return keras.layers.Add(name=fuse)([upsampled, score(skip)])


def _score(name, num_classes, zero=False):
    # From zero, the skips start out adding nothing: the network gives what the coarser one gives.
    initializer = "zeros" if zero else "glorot_uniform"
    return keras.layers.Conv2D(num_classes, 1, kernel_initializer=initializer, name=name)


def _copy_initial(initial, model):
    """Copy weights layer by layer; only the skips' new score layers keep their own."""
    theirs = {layer.name: layer for layer in initial.layers if layer.weights}
    for layer in model.layers:
        if not layer.weights or (layer.name.startswith("score_pool") and layer.name not in theirs):
            continue
        source = theirs.get(layer.name)
        if source is None or [w.shape for w in source.weights] != [w.shape for w in layer.weights]:
            raise InputError(
                f"initial model {initial.name!r} does not fit: its layer {layer.name!r} is missing "
                "or has another shape; build it with the same backbone and num_classes."
            )
        layer.set_weights(source.get_weights())
