"""Fully convolutional networks for semantic segmentation: the library behind the course.

The public names are listed in `_MODULES`; each is imported from its module on first use, so that
`import fcn_tutorial` itself loads no framework.
"""

import sys
from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_MODULES = {
    "InputError": "errors",
    "load_dataset": "data.catalog",
    "open_records": "data.records",
    "batches": "data.pipeline",
    "vgg16": "backbones",
    "vgg_narrow": "backbones",
    "convolutionize": "surgery",
    "top_classes": "surgery",
    "receptive_field": "geometry",
    "crop_offset": "geometry",
    "bilinear_kernel": "upsampling",
    "BilinearUpsampling": "upsampling",
    "transposed_convolution": "upsampling",
    "build_fcn": "fcn",
    "confusion_matrix": "metrics",
    "scores": "metrics",
    "Scores": "metrics",
    "trimap": "metrics",
    "beat_baseline": "metrics",
    "evaluate": "inference",
    "segment": "inference",
    "read_image": "data.images",
    "load_run": "runs",
    "Recipe": "recipe",
    "train": "training",
    "run_of_record": "runs",
    "load_trained": "pretrained",
    "overlay": "plotting",
    "check": "selfchecks",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'fcn_tutorial' has no attribute {name!r}")
    return getattr(import_module(f"fcn_tutorial.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


if "keras" in sys.modules:  # so that keras.models.load_model knows the layers of our models
    import_module("fcn_tutorial.fcn")
