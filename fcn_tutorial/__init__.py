"""Fully convolutional networks for semantic segmentation: the library behind the course.

The public names are listed in `_MODULES`; each is imported from its module on first use, so that
`import fcn_tutorial` itself loads no framework.
"""

import sys
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

__version__ = "0.2.0"

_MODULES = {
    "InputError": "errors",
    "load_dataset": "data.catalog",
    "Dataset": "data.dataset",
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
    "table": "tables",
    "evaluate": "inference",
    "segment": "inference",
    "read_image": "data.images",
    "load_run": "runs",
    "Recipe": "recipe",
    "train": "training",
    "run_of_record": "runs",
    "load_trained": "pretrained",
    "imagenet_classes": "pretrained",
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


class _OnceKerasIsLoaded:
    """Import hook: as soon as Keras is loaded, `keras.models.load_model` knows our models' layers.

    Our modules import Keras in their first lines: it waits for the outermost of these imports.
    """

    depth = 0

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "keras" and not name.startswith(f"{__name__}."):
            return None
        spec = PathFinder.find_spec(name, path)
        if spec and spec.loader:
            vars(spec.loader)["exec_module"] = partial(self._execute, spec.loader.exec_module)
        return spec

    def _execute(self, execute: Any, module: Any) -> None:
        self.depth += 1
        try:
            execute(module)
        finally:
            self.depth -= 1
        if self.depth == 0 and "keras" in sys.modules and self in sys.meta_path:
            sys.meta_path.remove(self)
            import_module(f"{__name__}.fcn")


if "keras" in sys.modules:
    import_module(f"{__name__}.fcn")
else:
    sys.meta_path.insert(0, _OnceKerasIsLoaded())
