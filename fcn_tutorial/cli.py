"""The command line, `fcn-tutorial`: every command ends with what it wrote and where.

Bad input ends in one sentence on standard error and exit code 2.
"""

import os
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fcn_tutorial.errors import InputError

app = typer.Typer(
    help="Fully convolutional networks for semantic segmentation.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="The data sets on this machine.", no_args_is_help=True)
app.add_typer(data_app, name="data")

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="Name of a recipe (camvid, shapes) or a TOML file.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Run folder; a run there is resumed. Default: runs/RECIPE."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Examples of each split to use.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Train for N epochs.")] = None,
    weights: Annotated[str | None, typer.Option(help="Weight file of the backbone.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another value for a key of the recipe."),
    ] = None,
):
    """Train a model by a recipe, or go on with the run in the output folder."""
    with _quiet_import():
        from fcn_tutorial import training
    chosen = {"limit": limit, "epochs": epochs, "weights": weights}
    chosen = {field: value for field, value in chosen.items() if value is not None}
    loaded = training.Recipe.load(recipe, **_changes(change or []), **chosen)
    output = output or Path("runs") / Path(recipe).stem
    run = training.train(loaded, output)
    best = max(run.history, key=lambda row: row["val_mean_iou"])
    print(
        f"Best mean IoU on {loaded.val_split}: {best['val_mean_iou']:.1%} (epoch {best['epoch']})."
    )
    print(f"Wrote the run to {output}: model in checkpoints/best.keras, curves in history.csv.")


def _changes(texts):
    """["epochs=2", "initial=runs/a"] -> {"epochs": 2, "initial": "runs/a"}."""
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text!r} has no value: write it as KEY=VALUE.")
        try:
            values[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            values[key.strip()] = value  # text without TOML's quotation marks
    return values


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    dataset: Annotated[str | None, typer.Option(help="Data set; default: the recipe's.")] = None,
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "test",
    limit: Annotated[int, typer.Option(min=0, help="Examples to use; 0 = all.")] = 0,
):
    """Score a run's best model at native resolution, class by class."""
    with _quiet_import():
        from fcn_tutorial import datasets, inference, training
    opened = training.load_run(run)
    examples = datasets.load_dataset(dataset or opened.recipe.dataset, split)
    examples = training.limited(examples, limit)
    result = inference.evaluate(opened.model, examples, progress=True)
    _print_scores(result, examples.classes)
    path = run / f"scores-{examples.name}-{split}.json"
    training.write_scores(path, result, examples)
    print(f"Wrote {path}.")


@app.command()
def segment(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of images.")],
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("predictions"),
):
    """Label every pixel of photos: writes label map, overlay and the legend of the colours."""
    files = _image_files(images)
    with _quiet_import():
        from tqdm import tqdm

        from fcn_tutorial import inference, plotting, training
        from fcn_tutorial.datasets.files import read_image, write_image, write_label
    opened = training.load_run(run)
    _make_folder(output)
    for file in tqdm(files, desc="segment", disable=len(files) == 1):
        image = read_image(file)
        label = inference.segment(opened.model, image)
        write_label(output / f"{file.stem}-label.png", label, opened.palette)
        write_image(
            output / f"{file.stem}-overlay.png", plotting.overlay(image, label, opened.palette)
        )
    plotting.draw_legend(opened.classes, opened.palette, output / "legend.png")
    count = f"{len(files)} label map{'s' * (len(files) > 1)} (-label.png)"
    print(f"Wrote {count}, overlays (-overlay.png) and legend.png to {output}.")


@data_app.command("fetch")
def fetch_data(
    datasets: Annotated[list[str], typer.Argument(help="Data sets: voc2012, sbd.")],
    root: Annotated[Path | None, typer.Option(help="Folder of the data sets.")] = None,
):
    """Download data sets, check them against their published sums, and unpack them."""
    from fcn_tutorial.datasets.fetch import fetch

    for dataset in datasets:
        print(f"{dataset} is in {fetch(dataset, root)}.")


@data_app.command()
def check(
    dataset: Annotated[str, typer.Argument(help="Data set, such as camvid.")] = "camvid",
    root: Annotated[Path | None, typer.Option(help="Folder of the data sets.")] = None,
):
    """Read every image and label of a data set, and name those that are missing or damaged."""
    from tqdm import tqdm

    from fcn_tutorial.datasets import load_dataset, splits_of

    damaged = 0
    for split in splits_of(dataset):
        examples = load_dataset(dataset, split, root)
        for index in tqdm(range(len(examples)), desc=f"{dataset} {split}"):
            try:
                examples[index]
            except InputError as error:
                damaged += 1
                tqdm.write(str(error))
        print(f"{split}: {len(examples)} examples")
    if damaged:
        raise InputError(f"{dataset} has {damaged} damaged examples: restore the files above.")
    print(f"{dataset} is whole.")


@data_app.command()
def records(
    dataset: Annotated[str, typer.Argument(help="Data set, such as camvid.")],
    output: Annotated[Path, typer.Option(help="Folder for the shards and their index.")],
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "train",
    shards: Annotated[int, typer.Option(min=1, help="Number of files.")] = 8,
    processes: Annotated[int, typer.Option(min=1, help="Files written at a time.")] = 1,
    root: Annotated[Path | None, typer.Option(help="Folder of the data sets.")] = None,
):
    """Write a split as a few large files of encoded images and labels; whole files are kept."""
    with _quiet_import():
        from fcn_tutorial.datasets import load_dataset
        from fcn_tutorial.datasets.records import write_records
    examples = load_dataset(dataset, split, root)
    written = write_records(examples, output, min(shards, len(examples)), processes, progress=True)
    size = sum(path.stat().st_size for path in written.shards) / 1e6
    print(
        f"Wrote {len(written)} examples of {dataset} {split} as {len(written.shards)} shards "
        f"({size:.1f} MB) and index.json to {output}."
    )


@app.command()
def doctor():
    """Say what this machine has: versions, devices, data and weights."""
    with _quiet_import():
        import keras

        from fcn_tutorial.training import environment
    from fcn_tutorial.datasets.files import data_root

    for name, value in environment().items():
        print(f"{name:14}{value}")
    devices = keras.distribution.list_devices() or ["none beside the CPU"]
    print(f"{'devices':14}{', '.join(devices)}")
    camvid = data_root() / "CamVid"
    print(f"{'data':14}{data_root()} (CamVid {'found' if camvid.is_dir() else 'not there'})")
    weights = os.environ.get("FCN_WEIGHTS", "not set: Keras downloads ImageNet weights")
    print(f"{'FCN_WEIGHTS':14}{weights}")


def _print_scores(result, classes):
    from fcn_tutorial.metrics import constant_baseline

    constant, baseline = constant_baseline(result.confusion)
    beside = f"always {classes[constant]}"
    width = max(len(beside), 8)
    print(f"\n{'':24}{'model':>8}  {beside:>{width}}")
    for name, value, other in zip(classes, result.iou, baseline.iou, strict=True):
        print(f"IoU {name:20}{_percent(value):>8}  {_percent(other):>{width}}")
    for field in ("mean_iou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou"):
        value, other = getattr(result, field), getattr(baseline, field)
        name = field.replace("_", " ").replace("iou", "IoU")
        print(f"{name:24}{_percent(value):>8}  {_percent(other):>{width}}")


def _percent(value):
    return "absent" if value != value else f"{100 * value:.1f} %"


def _image_files(paths):
    """The image files that the paths stand for; folders stand for the images in them."""
    files = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not inside:
            raise InputError(f"folder {path} holds no image: give one with JPEG or PNG files.")
        files += inside
    for file in files:
        twins = [other for other in files if other.stem == file.stem]
        if len(twins) > 1:
            raise InputError(
                f"{twins[0]} and {twins[1]} would write to the same file: segment them into two "
                "output folders."
            )
    return files


def _make_folder(path):
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output folder {path} cannot be made ({error.strerror}).") from error


@contextmanager
def _quiet_import():
    """Hide what TensorFlow writes to the terminal while it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    terminal = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def main():
    """Entry point: run the command; bad input becomes one sentence and exit code 2."""
    try:
        app(prog_name="fcn-tutorial")
    except (InputError, OSError) as error:
        print(f"fcn-tutorial: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nfcn-tutorial: stopped; what was written stays.", file=sys.stderr)
        sys.exit(130)
