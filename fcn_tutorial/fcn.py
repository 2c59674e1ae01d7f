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

from fcn_tutorial.backbones import SHAPES_CLASSIFIER, pretrained, restored, vgg16, vgg_narrow
from fcn_tutorial.errors import InputError, check_choice, check_whole
from fcn_tutorial.layers import CropLike, DilatedPooling, PadToMultiple, RepeatEdge
from fcn_tutorial.modelfiles import load_model
from fcn_tutorial.surgery import convolutionize, copied
from fcn_tutorial.upsampling import BilinearUpsampling

VARIANTS = {
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


def build_fcn(
    variant,
    num_classes,
    backbone="vgg16",
    weights=None,
    initial=None,
    dropout=0.5,
    enlarge=1,
    fc6_dilation=1,
):
    """Build FCN-32s, FCN-16s, FCN-8s or a dilated network over a backbone.

    variant: "fcn32s" | "fcn16s" | "fcn8s", or "dilated16" | "dilated8" over a VGG: without skips,
    with score_fr at stride 16 or 8, and with the weights of an FCN-32s giving its scores.
    backbone: "vgg16" | "vgg_narrow" | "mobilenet".
    weights: of the backbone: "imagenet", None (random) or the path of a file; for vgg_narrow
    "shapes" (the classifier of chapter 3), None or the path of a classifier saved as .keras.
    initial: a coarser FCN over the same backbone; its weights are copied, never shared (staged
    training). Without it the network is trained at once. Either way the skips' score layers start
    at zero, so that the network starts out giving nearly what the coarser one gives.
    dropout: the rate on fc6 and fc7.
    enlarge: 1, 2 or 4; the network enlarges the images by this factor before its first layer, so
    that all its strides are as many times finer in the image's own pixels.
    fc6_dilation: 1..32; the cells of fc6's kernel lie this many cells of its map apart, so that it
    sees further with the same weights.
    Returns a model from images in 0..255 (N, H, W, 3), H and W >= 1, to float32 logits
    (N, H, W, num_classes). Raises InputError for an unknown variant or backbone, or two that do not
    go together, a class count outside 1..255, a dilation out of its range, weights that cannot be
    loaded, or an `initial` that does not fit.
    """
    check_choice("variant", variant, VARIANTS)
    check_choice("backbone", backbone, BACKBONES)
    check_choice("enlarge", enlarge, ENLARGE)
    check_whole("num_classes", num_classes, 1, 255)  # 255 marks void
    check_whole("fc6_dilation", fc6_dilation, 1, MOST_DILATED)
    if variant in DILATED and not backbone.startswith("vgg"):
        raise InputError(f"variant {variant!r} needs a VGG as backbone: use vgg16 or vgg_narrow.")
    if variant in DILATED:
        taps = BACKBONES[backbone](weights, dropout, enlarge, 1)
        taps["fc7"] = _dilated(taps["image"], taps["fc7"], DILATED[variant], fc6_dilation)
    else:
        taps = BACKBONES[backbone](weights, dropout, enlarge, fc6_dilation)
    logits = _logits(taps, variant, num_classes, enlarge)
    model = keras.Model(taps["image"], logits, name=variant)
    if initial is not None:
        _copy_weights(initial, model)
    return model


def _logits(taps, variant, num_classes, enlarge):
    """Score the maps, upsample and fuse the scores; returns them at the image's size."""
    x = _score("score_fr", num_classes)(taps["fc7"])
    stride = DILATED.get(variant, STRIDE)
    for skip in VARIANTS[variant]:
        score = _score(f"score_{skip}", num_classes, zero=True)
        upscore = "upscore2" if skip == "pool4" else "upscore_pool4"
        x = score_and_fuse(x, taps[skip], score, upscore, f"fuse_{skip}")
        stride //= 2
    # What enlarged the image need not be undone: the scores are upsampled that much less.
    x = BilinearUpsampling(stride // enlarge, name=f"upscore{stride}", dtype="float32")(x)
    if variant in DILATED:
        # The first cell lies where that of stride 32 lay, not at this stride's (stride - 1) / 2.
        before = (STRIDE - stride) // 2 // enlarge
        x = RepeatEdge(before, name="aligned", dtype="float32")(x)
    return CropLike(name="logits", dtype="float32")([x, taps["image"]])


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
    initializer = "zeros" if zero else "glorot_uniform"
    return keras.layers.Conv2D(num_classes, 1, kernel_initializer=initializer, name=name)


def _copy_weights(initial, model):
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


def _dilated(image, fc7, stride, fc6_dilation):
    """The map fc7 of the same chain of layers, with their weights, no map coarser than `stride`.

    A pooling that would make the grid coarser keeps every cell instead. Each kernel behind it is
    spread, so that it still sees the cells that it saw before; fc6's as asked for on top of that.
    """
    x, reached, rate = image, 1, 1
    for layer in keras.Model(image, fc7).layers[1:]:
        pooling = isinstance(layer, keras.layers.MaxPooling2D)
        if pooling and reached == stride:
            x = DilatedPooling(rate, name=layer.name)(x)
            rate *= 2
        elif isinstance(layer, keras.layers.Conv2D):
            x = _spread(layer, x, rate * (fc6_dilation if layer.name == "fc6" else 1))
        else:
            x = copied(layer, x)
            reached *= 2 if pooling else 1
    return x


def _spread(layer, x, rate):
    """Apply a copy of a convolution with its kernel's cells `rate` apart to a symbolic map x."""
    if rate == 1 or layer.kernel_size == (1, 1):
        return copied(layer, x)
    # Keras's own "same" would lay a spread kernel of even size on other cells than before.
    sides = [((size - 1) // 2 * rate, size // 2 * rate) for size in layer.kernel_size]
    x = keras.layers.ZeroPadding2D(sides, name=f"pad_{layer.name}")(x)
    return copied(layer, x, padding="valid", dilation_rate=rate)


def _enlarged(x, factor):
    """Enlarge preprocessed images, and pad them to whole cells of the coarsest map."""
    if factor > 1:
        x = BilinearUpsampling(factor, name="enlarge")(x)
    return PadToMultiple(STRIDE, name="pad")(x)


def _dropout(rate, name):
    # On PyTorch, dropout has a state of its own, at which a run can go on, only with a seed.
    seed = random.randint(1, 10**9) if keras.backend.backend() == "torch" else None
    return keras.layers.Dropout(rate, seed=seed, name=name)


def _vgg_taps(classifier, dropout, enlarge, fc6_dilation):
    """Image and the three maps to score, from a VGG classifier made fully convolutional."""
    network = convolutionize(classifier)
    image = keras.Input((None, None, 3), name="image")
    x, outputs = image, {}
    for layer in network.layers[1:-1]:
        x = _spread(layer, x, fc6_dilation) if layer.name == "fc6" else copied(layer, x)
        if layer.name == "preprocessing":
            x = _enlarged(x, enlarge)
        elif layer.name in ("fc6", "fc7"):
            x = _dropout(dropout, f"drop_{layer.name}")(x)
        outputs[layer.name] = x
    tapped = {"pool3": "block3_pool", "pool4": "block4_pool", "fc7": "fc7"}
    for name in tapped.values():
        if name not in outputs:
            raise InputError(f"model {classifier.name!r} is not a VGG: it has no layer {name!r}.")
    return {"image": image, **{tap: outputs[name] for tap, name in tapped.items()}}


def _vgg16(weights, *options):
    return _vgg_taps(vgg16(weights), *options)


def _vgg_narrow(weights, *options):
    if weights is None:
        return _vgg_taps(vgg_narrow(), *options)
    if weights == "imagenet":
        raise InputError('vgg_narrow has no ImageNet weights: use "shapes", None or a path.')
    if weights == "shapes":
        return _vgg_taps(restored(vgg_narrow(), SHAPES_CLASSIFIER), *options)
    with pretrained(weights, "") as file:
        return _vgg_taps(load_model(file), *options)


def _mobilenet(weights, dropout, enlarge, fc6_dilation):
    """MobileNet's trunk up to stride 32, with fc6 and fc7 as new convolutions of 256 channels."""
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(image)
    x = _enlarged(x, enlarge)
    with pretrained(weights, "mobilenet_1_0_224_no_top.weights.h5") as file:
        network = keras.applications.MobileNet(include_top=False, weights=file, input_tensor=x)
    published = keras.Model(image, network.get_layer("conv_pw_12_relu").output)
    trunk = keras.models.clone_model(published, clone_function=_clone)
    trunk.set_weights(published.get_weights())
    x = trunk.output
    options = {"padding": "same", "activation": "relu"}
    fc6 = keras.layers.Conv2D(256, 3, dilation_rate=fc6_dilation, name="fc6", **options)
    x = _dropout(dropout, "drop_fc6")(fc6(x))
    fc7 = keras.layers.Conv2D(256, 1, name="fc7", **options)
    x = _dropout(dropout, "drop_fc7")(fc7(x))
    pool3 = trunk.get_layer("conv_pw_5_relu").output
    pool4 = trunk.get_layer("conv_pw_11_relu").output
    return {"image": trunk.input, "pool3": pool3, "pool4": pool4, "fc7": x}


def _clone(layer):
    """Copy a layer of MobileNet; two of its strided layers pad at the top left instead.

    Padding always at the bottom right shifts the map of stride s by (s - 1) / 2 pixels against
    the image. With these two turned round, no map is off by more than a quarter of a cell.
    """
    config = layer.get_config()
    if layer.name in ("conv_pad_4", "conv_pad_12"):
        config["padding"] = ((1, 0), (1, 0))
    return type(layer).from_config(config)


BACKBONES = {"vgg16": _vgg16, "vgg_narrow": _vgg_narrow, "mobilenet": _mobilenet}
HEAD_LAYERS = ("fc6", "fc7", "score_fr", "score_pool4", "score_pool3")
