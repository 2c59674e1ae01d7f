"""EfficientNet-Lite0: a small classifier of photographs, and its layers as a backbone of an FCN.

Source: Tan and Le 2019, Table 1, in Google's Lite variant of 2020 (no squeeze and excitation, ReLU6
everywhere); blocks as in Sandler et al. 2018 (MobileNetV2), Table 1.
"""

import keras

STAGES = (  # blocks, kernel, stride, how many times wider inside, channels
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
TURNED = ("block3a", "block6a")  # they pad at the top left, so that maps stay over their pixels


def efficientnet_lite0(num_classes: int | None = None) -> keras.Model:
    """Build the classifier, or the backbone in it, with random weights under the published names.

    Args:
        num_classes: of the classifier, padded as published; None leaves its head out and pads so
            that maps stay over their pixels.

    Returns:
        A model from images in 0..255 (N, any, any, 3) to logits (N, num_classes), or to
        `top_relu6`, 1,280 channels at stride 32; strides 8 and 16 end at `block3b_add` and
        `block5c_add`.
    """
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocessing")(image)
    x = _convolved(x, "stem", 32, 3, 2)
    turned = TURNED if num_classes is None else ()
    for stage, (blocks, kernel, stride, wider, channels) in enumerate(STAGES, start=1):
        for index in range(blocks):
            name = f"block{stage}{'abcd'[index]}"
            shape = (kernel, 1 if index else stride, wider, channels)
            x = _inverted_residual(x, name, *shape, name in turned)
    x = _convolved(x, "top", 1280)
    if num_classes is not None:
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = keras.layers.Dense(num_classes, name="predictions")(x)
    return keras.Model(image, x, name="efficientnet_lite0")


def _inverted_residual(x, name, kernel, stride, wider, channels, turned):
    """Widen a map, filter each channel alone, narrow it; and add it where the shape is the same."""
    before, padding = x, "same"
    if wider > 1:
        x = _convolved(x, f"{name}_expand", wider * x.shape[-1])
    if turned:
        corner, padding = (kernel // 2, kernel // 2 - 1), "valid"
        x = keras.layers.ZeroPadding2D((corner, corner), name=f"{name}_pad")(x)
    x = keras.layers.DepthwiseConv2D(
        kernel, stride, padding, use_bias=False, name=f"{name}_dwconv"
    )(x)
    x = _convolved(_normalized(x, f"{name}_dw"), f"{name}_project", channels, active=False)
    same = stride == 1 and before.shape[-1] == channels
    return keras.layers.Add(name=f"{name}_add")([before, x]) if same else x


def _convolved(x, name, channels, kernel=1, stride=1, active=True):
    options = {"padding": "same", "use_bias": False}
    x = keras.layers.Conv2D(channels, kernel, stride, **options, name=f"{name}_conv")(x)
    return _normalized(x, name, active)


def _normalized(x, name, active=True):
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu6")(x) if active else x
