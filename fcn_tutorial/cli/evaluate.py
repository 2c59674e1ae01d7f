"""`fcn-tutorial evaluate`."""

import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fcn_tutorial.cli import common
from fcn_tutorial.errors import InputError, check_scales, shown
from fcn_tutorial.files import read_small
from fcn_tutorial.tables import counted, percent


def evaluate(
    runs: Annotated[
        list[Path],
        Argument(help="Run folders, or names of networks such as voc_fcn8s; several are averaged."),
    ],
    dataset: common.Dataset = None,
    split: common.Split = None,
    limit: common.Limit = 0,
    scales: common.Scales = "1",
    flip: common.Flip = False,
    predictions: Annotated[
        Path | None,
        Option(help="Folder for the predicted label maps (VOC: as its evaluation server expects)."),
    ] = None,
) -> None:
    """Score the best model of a run, or the average of several runs, at native resolution."""
    factors = check_scales(f"--scales {shown(scales)}", scales.split(","))
    with common.quiet_import():
        from fcn_tutorial import inference
        from fcn_tutorial.runs import write_scores
    opened = common.open_runs(runs)
    examples = common.examples_of(opened[0], dataset, split, limit)
    how, suffix = _how(limit, flip, factors, runs)
    path = common.place_of(runs[0], f"scores-{examples.name}-{examples.split}{suffix}.json")
    _check_members(path, how)
    folder = predictions
    if folder and "voc2012" in examples.name:
        folder = common.server_folder(folder, examples.split)
    keep = _label_writer(folder, examples.palette) if folder else None
    models = [run.model for run in opened]
    result = inference.evaluate(models, examples, factors, flip, progress=True, keep=keep)
    _print_scores(result, examples.classes)
    trained_on = common.compare_with_training(opened, examples)
    write_scores(path, result, examples, **how, **trained_on)
    maps = f", and {counted(len(examples), 'label map')} to {folder}" if folder else ""
    print(f"Wrote {path}{maps}.")
    where = {"--dataset": dataset, "--split": split, "--limit": limit}
    options = [str(word) for key, value in where.items() if value for word in (key, value)]
    see = shlex.join(["fcn-tutorial", "report", str(runs[0]), *options])
    print(f'To see curves, confusion and the worst images, run "{see}".')


def _label_writer(folder, palette):
    """Make a folder; returns a function that writes an example's label map into it."""
    from fcn_tutorial.data.images import write_label
    from fcn_tutorial.files import make_folder

    make_folder(folder)

    def write(name, label):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"example {name!r} would be written outside {folder}: rename it.")
        write_label(folder / f"{name}.png", label, palette)

    return write


def _how(limit, flip, factors, runs):
    """What differs from a plain evaluation of one run: for JSON, and for the file's name."""
    members = [str(run) for run in runs] if len(runs) > 1 else []
    factors = () if factors == (1.0,) else factors
    suffixes = {
        "limit": (limit, f"-first{limit}"),
        "flip": (flip, "-flip"),
        "scales": (factors, f"-scales{','.join(f'{factor:g}' for factor in factors)}"),
        "members": (members, "".join(f"-with-{run.name}" for run in runs[1:])),
    }
    used = {key: pair for key, pair in suffixes.items() if pair[0]}
    return {key: value for key, (value, _) in used.items()}, "".join(s for _, s in used.values())


def _check_members(path, how):
    """Raise InputError if the file has the scores of other runs, in folders of the same names."""
    ours = theirs = how.get("members", [])
    with suppress(InputError):  # any other file is overwritten
        theirs = read_small(path, lambda text: json.loads(text).get("members", []), "")
    if theirs != ours:
        raise InputError(f"{path} holds the scores of {', '.join(theirs)}: move it first.")


def _print_scores(result, classes):
    from fcn_tutorial.metrics import constant_baseline

    constant, baseline = constant_baseline(result.confusion)
    beside = f"always {classes[constant]}"
    names = [f"IoU {name}" for name in classes]
    rows = [*zip(names, result.iou, baseline.iou, strict=True)]
    for field in ("mean_iou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou"):
        name = field.replace("_", " ").replace("iou", "IoU")
        rows.append((name, getattr(result, field), getattr(baseline, field)))
    width = max(len(beside), 8)
    print(f"\n{'':24}{'model':>8}  {beside:>{width}}")
    for name, value, other in rows:
        print(f"{name:24}{percent(value):>8}  {percent(other):>{width}}")
