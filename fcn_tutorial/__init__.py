"""Fully convolutional networks for semantic segmentation: the library behind the course.

The public names are listed in `_NAMES`; each is imported from its module on first use, so that
`import fcn_tutorial` itself loads no framework.
"""

import sys
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

__version__ = "0.2.0"

_NAMES = {
    "errors": "InputError",
    "data.catalog": "load_dataset",
    "data.dataset": "Dataset",
    "data.records": "open_records",
    "data.pipeline": "batches",
    "data.images": "read_image",
    "backbones": "vgg16 vgg_narrow",
    "surgery": "convolutionize top_classes",
    "geometry": "receptive_field crop_offset",
    "upsampling": "bilinear_kernel BilinearUpsampling transposed_convolution",
    "fcn": "build_fcn",
    "metrics": "confusion_matrix scores Scores trimap beat_baseline",
    "tables": "table",
    "inference": "evaluate segment",
    "recipe": "Recipe",
    "runs": "load_run run_of_record",
    "training": "train",
    "pretrained": "load_trained imagenet_classes",
    "plotting": "overlay",
    "selfchecks": "check",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'fcn_tutorial' has no attribute {name!r}")
    return getattr(import_module(f"fcn_tutorial.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _register() -> None:
    """Let `keras.models.load_model` know the classes that our models are made and compiled of."""
    for module in ("fcn", "losses", "optimizers"):
        import_module(f"{__name__}.{module}")


class _OnceKerasIsLoaded:
    """Import hook: as soon as Keras is loaded, it knows our classes.

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
            _register()


if "keras" in sys.modules:
    _register()
else:
    sys.meta_path.insert(0, _OnceKerasIsLoaded())
