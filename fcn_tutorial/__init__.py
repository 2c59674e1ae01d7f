"""Fully convolutional networks for semantic segmentation: the library behind the course.

The public names are listed in `_MODULES`; each is imported from its module on first use, so that
`import fcn_tutorial` itself loads no framework.
"""

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.2.0"

_MODULES = {
    "InputError": "errors",
    "load_dataset": "datasets",
    "open_records": "datasets.records",
    "batches": "pipeline",
    "vgg16": "vgg",
    "vgg_narrow": "vgg",
    "convolutionize": "convolutionize",
    "top_classes": "convolutionize",
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
    "read_image": "datasets.files",
    "load_run": "runs",
    "Recipe": "recipe",
    "train": "training",
    "run_of_record": "runs",
    "load_trained": "weights",
    "overlay": "plotting",
    "check": "selfchecks",
}

__all__ = sorted(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module 'fcn_tutorial' has no attribute {name!r}")
    return getattr(import_module(f"fcn_tutorial.{_MODULES[name]}"), name)


def __dir__():
    return sorted([*globals(), *__all__])


class _Package(ModuleType):
    """Keeps `fcn_tutorial.convolutionize` the function: importing the module would hide it."""

    def __setattr__(self, name, value):
        if not (name in _MODULES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
