"""The recipe of a run that takes a moment: two steps on a small network."""

import fcn_tutorial as fcn

QUICK = fcn.Recipe(
    dataset="shapes",
    variant="fcn32s",
    backbone="vgg_narrow",
    weights="none",
    limit=4,
    crop_size=32,
    batch_size=2,
    epochs=2,
)
