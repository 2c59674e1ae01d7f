"""Run folders: what a training run writes, how it is read back, and what it depended on.

A run folder holds recipe.toml, environment.json, classes.json, history.csv, scores.json,
tensorboard/, run.lock and checkpoints/: best.keras (by validation mean IoU) and last.weights.h5
(weights and optimizer, to resume from). Each file is written completely or not at all, whenever
training ends.
"""

import csv
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import fcn_tutorial.fcn  # noqa: F401 - a model that is opened has its layers
from fcn_tutorial.data.dataset import Dataset, legend_of
from fcn_tutorial.devices import device_names
from fcn_tutorial.errors import InputError, check_choice
from fcn_tutorial.files import read_small, write_text
from fcn_tutorial.metrics import Scores, constant_baseline, scores
from fcn_tutorial.pretrained import FCNS, load_network
from fcn_tutorial.recipe import Recipe
from fcn_tutorial.weights import ADVICE, SHIPPED, epochs_of, load_model, load_state

METRICS = ("pixel_accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou")
PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent  # of the project, where the library was not installed alone
# A wheel holds them inside the package, a checkout beside it.
STUDIES = PACKAGE / "studies" if (PACKAGE / "studies").is_dir() else CHECKOUT / "studies"
LOCK = "run.lock"
CHECKPOINT = Path("checkpoints", "last.weights.h5")
# Variables of the environment that change how TensorFlow, JAX and PyTorch compute.
SETTINGS = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_DETERMINISTIC_OPS",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "NVIDIA_TF32_OVERRIDE",
    "XLA_FLAGS",
    "JAX_DEFAULT_MATMUL_PRECISION",
)


@dataclass(frozen=True)
class Run:
    """A run folder, read back: the best model and what belongs to it."""

    folder: Path
    recipe: Recipe
    model: keras.Model
    classes: tuple[str, ...]
    palette: np.ndarray
    history: list[dict]


def load_run(folder: str | Path) -> Run:
    """Open a run folder and load its best model.

    Args:
        folder: of a run; or the name of an FCN that comes with the package; or the folder in which
            a study keeps its network.

    Returns:
        The run; only the first kind has a history.

    Raises:
        InputError: a file that belongs to a run is missing or broken.
    """
    folder = Path(folder)
    ours = str(folder) in FCNS and not folder.exists()
    network = SHIPPED / f"{folder}.json" if ours else folder / "network.json"
    if network.is_file():
        model, facts = load_network(network)
        return Run(folder, facts["recipe"], model, *legend_of(facts), [])
    recipe_file, best = folder / "recipe.toml", folder / "checkpoints" / "best.keras"
    if not folder.exists():
        raise InputError(
            f"run {folder} is missing: give a run folder, or one of the networks that come with "
            f"the package, {', '.join(FCNS)}."
        )
    for path in (recipe_file, folder / "classes.json", best):
        if not os.path.isfile(path):
            raise InputError(f"{folder} is not a finished run: {path} is missing; train it first.")
    recipe = Recipe.load(recipe_file)
    return Run(folder, recipe, load_model(best), *read_legend(folder), read_history(folder))


@dataclass(frozen=True)
class Record:
    """A run of record: what a study keeps of a run folder, without its weights.

    Attributes:
        folder: of the study.
        history: one row an epoch, {column: number}.
        scores: {name: Scores}; "scores" is of the best epoch on the validation split,
            "scores-camvid-test" of the same model on another split.
    """

    name: str
    folder: Path
    recipe: Recipe
    classes: tuple[str, ...]
    history: list[dict]
    scores: dict[str, Scores]


def run_of_record(name: str) -> Record:
    """Read a run of record.

    Args:
        name: of the run, such as "camvid" or "camvid_short/fcn8s_seed0".

    Returns:
        The run's `Record`.

    Raises:
        InputError: there is no run of that name.
    """
    known = _runs_of_record()
    check_choice("run of record", name, sorted(known))
    folder, run = known[name]
    rows = [row for row in read_table(folder / "table.csv") if row["run"] == run]
    changes = tomllib.loads(f"changes = {{{rows[0]['changes']}}}")["changes"]
    table = read_table(folder / "history.csv")
    history = [{**row, "epoch": int(row["epoch"])} for row in table if row.pop("run") == run]
    confusions = json.loads((folder / "confusions.json").read_text())
    found = {row["scores"]: scores(np.array(confusions[f"{run}/{row['scores']}"])) for row in rows}
    recipe = Recipe.load(folder / "recipe.toml", **changes)
    return Record(name, folder, recipe, read_legend(folder)[0], history, found)


def _runs_of_record() -> dict[str, tuple[Path, str]]:
    """{name: (folder of its study, name there)}; "camvid_seed1" of study "camvid" has no "/"."""
    names = {}
    for path in STUDIES.glob("*/confusions.json"):
        folder = path.parent
        for run in dict.fromkeys(row["run"] for row in read_table(folder / "table.csv")):
            name = run if run.startswith(folder.name) else f"{folder.name}/{run}"
            names[name] = folder, run
    return names


def read_table(path: Path) -> list[dict]:
    """The rows {column: value} of a study's CSV file; what reads as a number is a float."""
    with path.open(newline="") as file:
        return [{key: _number(text) for key, text in row.items()} for row in csv.DictReader(file)]


def _number(text: str) -> float | str:
    with suppress(ValueError):
        return text if "_" in text else float(text)  # 2008_002536 is an image, not a number
    return text


def read_legend(folder: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of a run's classes and its palette, uint8 (C, 3), from classes.json."""
    path = folder / "classes.json"
    return read_small(path, lambda text: legend_of(json.loads(text)), ADVICE)


def read_history(folder: Path, epochs: int = 0) -> list[dict]:
    """The rows {column: number} of a run's history.csv, one an epoch; [] where there is none.

    InputError where the file is broken, or has fewer rows than `epochs`.
    """

    def parse(text: str) -> list[dict]:
        table = csv.DictReader(text.splitlines())
        rows = [{key: float(value) for key, value in row.items()} for row in table]
        return [{**row, "epoch": int(row["epoch"])} for row in rows]

    path = folder / "history.csv"
    rows = read_small(path, parse, ADVICE) if path.exists() else []
    if len(rows) < epochs:  # which epoch was the best is not known
        raise InputError(
            f"{path} has {len(rows)} epochs, but the checkpoint was saved after {epochs}: train "
            "into another folder."
        )
    return rows


def stopped_early(history: Sequence[dict], patience: int) -> bool:
    """Whether the best epoch of a history is `patience` epochs old; never for 0."""
    scores = [row["val_mean_iou"] for row in history]
    return bool(patience and scores) and len(scores) - 1 - scores.index(max(scores)) >= patience


def write_history(folder: Path, rows: Sequence[dict]) -> None:
    """Write history.csv: one row an epoch, the columns of the first."""
    columns = list(rows[0])
    lines = [columns, *([str(row.get(key, np.nan)) for key in columns] for row in rows)]
    write_text(folder / "history.csv", "\n".join(map(",".join, lines)) + "\n")


def write_scores(path: Path, result: Scores, dataset: Dataset, **more: Any) -> None:
    """Write scores as JSON beside the constant baseline, with `more` that there is to say."""
    constant, baseline = constant_baseline(result.confusion)
    content = {
        "dataset": dataset.name,
        "split": dataset.split,
        "examples": len(dataset),
        **more,
        **{name: _known(getattr(result, name)) for name in METRICS},
        "iou": dict(zip(dataset.classes, map(_known, result.iou), strict=True)),
        "baseline": {
            "always": dataset.classes[constant],
            **{name: _known(getattr(baseline, name)) for name in METRICS},
        },
        "confusion": result.confusion.tolist(),
    }
    write_text(path, json.dumps(content, indent=1) + "\n")


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value  # JSON has no NaN


def check_folder(folder: Path, recipe: Recipe) -> None:
    """Raise InputError unless the folder is new, or holds a run by the same recipe or a longer one.

    Only `epochs` and `patience` may be larger than they were: the run then continues.
    """
    path = folder / "recipe.toml"
    if path.is_file():
        theirs, ours = asdict(Recipe.load(path)), asdict(recipe)
        for key in ours:
            longer = key in ("epochs", "patience") and ours[key] > theirs[key]
            if theirs[key] != ours[key] and not longer:
                raise InputError(
                    f"{folder} holds a run with {key} = {theirs[key]!r}, but this recipe has "
                    f"{ours[key]!r}: choose another output folder."
                )
        return
    names = [each.name for each in folder.iterdir()]
    if not all(name == LOCK or name.startswith("unfinished-") for name in names):
        raise InputError(f"{folder} has files but no recipe.toml: choose a new or empty folder.")


def describe(folder: Path, recipe: Recipe, dataset: Dataset, around: dict, done: int) -> None:
    """Write what a run depends on into its folder.

    Where it was trained for `done` epochs in other surroundings than those `around` it now,
    environment.json keeps those under "earlier".
    """
    # First, since a folder with files and without a recipe counts as somebody else's.
    recipe.save(folder / "recipe.toml")
    legend = {"classes": list(dataset.classes), "palette": dataset.palette.tolist()}
    write_text(folder / "classes.json", json.dumps(legend) + "\n")
    before = read_surroundings(folder) if done else {}
    if around.items() <= before.items():
        around = before
    else:
        earlier = [*before.pop("earlier", []), before] if before else []
        around = {**around, "from_epoch": done + 1, "earlier": earlier}
    write_text(folder / "environment.json", json.dumps(around, indent=1) + "\n")


def read_surroundings(folder: Path) -> dict:
    """What a run's environment.json says; an empty dictionary where there is none."""
    path = folder / "environment.json"
    return read_small(path, json.loads, ADVICE) if path.exists() else {}


def surroundings(*datasets: Dataset) -> dict:
    """What a run depends on beside its recipe: versions, machine, code and data, for JSON."""
    data = {f"{dataset.name} {dataset.split}": fingerprint(dataset) for dataset in datasets}
    return {**environment(), "data": data}


def environment() -> dict:
    """Versions of what computes, the project's revision, and what else changes last digits."""
    backend, pinned = keras.backend.backend(), hasattr(os, "sched_getaffinity")
    packages = ("fcn-tutorial", "tensorflow", "keras", "numpy", "pillow", "h5py", backend)
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in packages},
        "backend": backend,
        "machine": platform.machine(),
        "system": platform.system(),
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)) if pinned else os.cpu_count(),
        "processor": _processor(),
        "computes_on": device_names()[0].partition(":")[0],
        "threads": _threads(),
        "precision": keras.config.floatx(),
        "settings": {name: os.environ.get(name) for name in SETTINGS},
        "git": _revision(CHECKOUT),
    }


def _processor() -> str:
    """Its name, by which oneDNN and Eigen choose their instructions."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(errors="replace") if path.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()


def _threads() -> list[int] | None:
    """How many threads work inside an operation and on operations; 0 = the library chooses."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        asked = tf.config.threading
        return [asked.get_intra_op_parallelism_threads(), asked.get_inter_op_parallelism_threads()]
    if backend == "torch":
        import torch

        return [torch.get_num_threads(), torch.get_num_interop_threads()]
    return None


def _version(package: str) -> str | None:
    """Version of an installed package; None where it is not installed."""
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None


def _revision(folder: Path) -> str | None:
    """Git's name of the commit that is checked out, "+changes" behind it; None without a checkout.

    Only where the folder itself is a checkout: an installed library may lie inside somebody else's.
    """
    command = ["git", "--no-optional-locks", "-C", str(folder), "describe", "--always"]
    command += ["--abbrev=12", "--exclude=*", "--dirty=+changes"]
    if (folder / ".git").exists():
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
            return done.stdout.strip()
    return None


def fingerprint(dataset: Dataset) -> str:
    """SHA-256, in hex, of a data set's names, its first example, and the stamps of all examples.

    So of records, it covers every byte. Of files, it covers which there are and that none has
    another length, and not what is in them but the first.
    """
    digest = hashlib.sha256()
    for index, name in enumerate(dataset.names):
        digest.update(f"{name} {dataset.stamp(index)}\n".encode())
    for array in dataset[0] if len(dataset) else ():
        digest.update(f"{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def differences(then: dict, now: dict) -> list[tuple[str, Any, Any]]:
    """What changed from some surroundings to others: [(item, then, now)], of items of both."""
    nested = ("data", "settings")
    flat = [each | each.get("data", {}) | each.get("settings", {}) for each in (then, now)]
    shared = [key for key in flat[0] if key in flat[1] and key not in nested]
    return [(key, flat[0][key], flat[1][key]) for key in shared if flat[0][key] != flat[1][key]]


def resume(folder: Path, model: keras.Model, steps: int) -> int:
    """Bring a compiled model to where its run, of so many steps an epoch, was left.

    Returns the number of epochs behind it. InputError where the last checkpoint is broken, or of
    another model or optimizer.
    """
    path = folder / CHECKPOINT
    model.optimizer.build(model.trainable_variables)  # or TensorFlow would trace two first steps
    if path.is_file():
        load_state(model, path)
    done = epochs_of(path)
    for layer in model.layers:  # no checkpoint holds dropout's random state
        if getattr(layer, "seed_generator", None) is not None:
            state = layer.seed_generator.state
            taken = np.array([0, done * steps], "uint32")
            state.assign(keras.ops.convert_to_numpy(state) + taken)
    return done
