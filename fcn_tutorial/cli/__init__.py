"""The command line, `fcn-tutorial`: every command ends with what it wrote and where.

Bad input ends in one sentence on standard error and exit code 2.
"""

import io
import json
import os
import sys
import tomllib
import warnings
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fcn_tutorial.errors import InputError, reason_of

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
    devices: Annotated[
        int,
        typer.Option(
            min=1, help="Devices that share each batch, of all processes: GPUs, or processor parts."
        ),
    ] = 1,
):
    """Train a model by a recipe, or go on with the run in the output folder."""
    with _quiet_import():
        from fcn_tutorial import training
        from fcn_tutorial.recipe import Recipe
    chosen = {"limit": limit, "epochs": epochs, "weights": weights}
    chosen = {field: value for field, value in chosen.items() if value is not None}
    loaded = Recipe.load(recipe, **(_changes(change or []) | chosen))
    if weights is not None and loaded.initial:
        raise InputError(
            f"--weights would not be used, since recipe {recipe} goes on from {loaded.initial}: "
            "leave it out."
        )
    output = output or Path("runs") / Path(recipe).stem
    run = training.train(loaded, output, devices=devices)
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
            read = tomllib.loads(f"value = {value}")
        except (ValueError, RecursionError):  # a TOMLDecodeError, or numbers of endless digits
            read = {}
        # Text may do without TOML's quotation marks; what has several lines is no single value.
        values[key.strip()] = read["value"] if len(read) == 1 else value
    return values


SCALES_HELP = "Average over resized copies: factors with commas between them."
FLIP_HELP = "Average with the answer for the mirror image."
FORMATS = {"litert": ".tflite", "onnx": ".onnx"}  # of exported networks, and how their names end
STOPPED = 130  # the exit code where the user has pressed Ctrl and C
LARGEST_SCALE = 4  # beyond it, the copies of a photo do not fit into most memories


@app.command()
def evaluate(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders; of several, the average is scored.")
    ],
    dataset: Annotated[str | None, typer.Option(help="Data set; default: the recipe's.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Split; default: test, or val where there is no test.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Examples to use; 0 = all.")] = 0,
    scales: Annotated[str, typer.Option(help=SCALES_HELP)] = "1",
    flip: Annotated[bool, typer.Option("--flip", help=FLIP_HELP)] = False,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the label maps, as NAME.png; those of VOC go below it, in the layout "
            "of VOC's evaluation server."
        ),
    ] = None,
):
    """Score the best model of a run, or of several together, at native resolution."""
    factors = _factors(scales)
    with _quiet_import():
        from fcn_tutorial import inference
        from fcn_tutorial.data import dataset as datasets
        from fcn_tutorial.runs import write_scores
    opened = _opened_runs(runs)
    name = dataset or opened[0].recipe.dataset
    examples = datasets.load_dataset(name, split or datasets.splits_of(name)[-1])
    examples = datasets.limited(examples, limit)
    folder = predictions and _predictions_folder(predictions, examples)
    how = _unlike_plain(limit, flip, factors, runs)
    path = runs[0] / f"scores-{examples.name}-{examples.split}{_suffix(**how)}.json"
    _check_members(path, how)
    trained_on = _trained_on(opened, examples)
    keep = folder and _label_writer(folder, examples.palette)
    models = [run.model for run in opened]
    result = inference.evaluate(models, examples, factors, flip, progress=True, keep=keep)
    _print_scores(result, examples.classes)
    write_scores(path, result, examples, **how, **trained_on)
    print(*map(_changes_since, opened), sep="", end="")
    if trained_on.get("overlap"):
        print(f"{trained_on['overlap']} of these {len(examples)} examples were trained on.")
    maps = f", and {_counted(examples.names)} to {folder}" if folder else ""
    print(f"Wrote {path}{maps}.")


def _check_members(path, how):
    """Raise InputError when the file has the scores of other runs, whose folders have one name."""
    ours = theirs = how.get("members", [])
    with suppress(OSError, ValueError, AttributeError):  # what is no score file is written anew
        theirs = json.loads(path.read_text()).get("members", [])
    if theirs != ours:
        raise InputError(f"{path} holds the scores of {', '.join(theirs)}: move it away first.")


def _trained_on(opened, examples):
    """{"overlap": number of the examples that a run was trained on}; {} where that is unknown."""
    from fcn_tutorial import training
    from fcn_tutorial.data import dataset as datasets

    names = set()
    try:
        for run in opened:
            names.update(datasets.overlap(training.splits(run.recipe)[0].names, examples.names))
    except InputError:  # the data of the training are not here
        return {}
    return {"overlap": len(names)}


def _changes_since(run):
    """A line on what was otherwise when a run was trained; an empty string where nothing was."""
    from fcn_tutorial import runs, training

    then = runs.read_surroundings(run.folder)
    try:
        now = runs.surroundings(*training.splits(run.recipe))
    except InputError:  # the data of the training are not here
        now = runs.environment()
    changed = [
        f"{key} {_short(a)} then, {_short(b)} now" for key, a, b in runs.differences(then, now)
    ]
    return f"Not as when {run.folder} was trained: {'; '.join(changed)}.\n" if changed else ""


def _short(value):
    """Enough of a value to tell it from others: of a long sum, its beginning."""
    text = "none" if value is None else str(value)
    return text if len(text) < 40 else text[:12]


def _factors(text):
    """ "0.75,1" -> [0.75, 1.0]."""
    try:
        factors = [float(part) for part in text.split(",")]
    except ValueError:
        factors = [0.0]
    if not all(0 < factor <= LARGEST_SCALE for factor in factors):
        raise InputError(
            f"--scales {text!r} must be numbers above 0 and at most {LARGEST_SCALE}, such as "
            "0.75,1,1.25."
        )
    return factors


def _opened_runs(folders):
    """The runs in some folders, which must have the same classes."""
    from fcn_tutorial.runs import load_run

    opened = [load_run(folder) for folder in folders]
    for run in opened:
        if run.classes != opened[0].classes:
            raise InputError(
                f"{run.folder} has other classes than {opened[0].folder}: runs can be averaged "
                "only where their classes are the same."
            )
    return opened


def _unlike_plain(limit, flip, scales, runs):
    """In what an evaluation differs from that of one run as it is on a whole split, for JSON."""
    how = {
        "limit": limit,
        "flip": flip,
        "scales": [] if scales == [1.0] else scales,
        "members": [str(run) for run in runs] if len(runs) > 1 else [],
    }
    return {key: value for key, value in how.items() if value}


def _suffix(limit=0, flip=False, scales=(), members=()):
    """What tells a score file from that of the plain evaluation, which it must not overwrite."""
    factors = ",".join(f"{scale:g}" for scale in scales)
    parts = [
        f"-first{limit}" if limit else "",
        "-flip" if flip else "",
        f"-scales{factors}" if factors else "",
        "".join(f"-with-{Path(member).name}" for member in members[1:]),
    ]
    return "".join(parts)


def _predictions_folder(folder, examples):
    return _server_folder(folder, examples.split) if "voc2012" in examples.name else folder


def _server_folder(folder, split):
    """Where VOC's evaluation server looks for the label maps of a split in what is uploaded to it.

    "comp6" is its competition in segmentation by models that have seen more than VOC's own images.
    Source: the development kit of VOC 2012, section 5.3, and clsresdir in its VOCinit.m.
    """
    return folder / "results" / "VOC2012" / "Segmentation" / f"comp6_{split}_cls"


def _label_writer(folder, palette):
    """Make the folder, and a function that writes an example's label map into it."""
    from fcn_tutorial.data.images import write_label
    from fcn_tutorial.files import make_folder

    make_folder(folder)

    def write(name, label):
        if Path(name).name != name:
            raise InputError(
                f"example {name!r} has a name that would lie outside {folder}: mend it."
            )
        write_label(folder / f"{name}.png", label, palette)

    return write


def _counted(names):
    return f"{len(names)} label map{'s' * (len(names) > 1)}"


@app.command()
def segment(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of images.")],
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("predictions"),
    scales: Annotated[str, typer.Option(help=SCALES_HELP)] = "1",
    flip: Annotated[bool, typer.Option("--flip", help=FLIP_HELP)] = False,
    also: Annotated[
        list[Path] | None, typer.Option("--with", help="Another run, to average with the first.")
    ] = None,
    voc_list: Annotated[
        Path | None,
        typer.Option(
            help="List of VOC's images, such as ImageSets/Segmentation/test.txt: write label maps "
            "of these alone, in the layout of VOC's evaluation server."
        ),
    ] = None,
):
    """Label every pixel of photos: writes label map, overlay and the legend of the colours."""
    factors, files = _factors(scales), _image_files(images)
    files = files if voc_list is None else _listed(files, voc_list)
    with _quiet_import():
        from fcn_tutorial import inference
    opened = _opened_runs([run, *(also or [])])
    models = [each.model for each in opened]
    write = _write_photos if voc_list is None else _write_submission
    folder = output if voc_list is None else _server_folder(output, voc_list.stem)
    label_of = partial(inference.segment, models, scales=factors, flip=flip, progress=True)
    write(files, label_of, opened[0], folder)


def _write_photos(files, label_of, run, folder):
    """Write label map and overlay of each photo, and the legend."""
    from fcn_tutorial import plotting
    from fcn_tutorial.data.images import write_image, write_label
    from fcn_tutorial.files import make_folder, write_whole

    make_folder(folder)
    made = [folder / f"{file.stem}-{kind}.png" for file in files for kind in ("label", "overlay")]
    _check_kept(files, [*made, folder / "legend.png"])
    for file, image in _images(files):
        label = label_of(image)
        write_label(folder / f"{file.stem}-label.png", label, run.palette)
        overlay = plotting.overlay(image, label, run.palette)
        write_image(folder / f"{file.stem}-overlay.png", overlay)
    draw = partial(plotting.draw_legend, run.classes, run.palette)
    write_whole(folder / "legend.png", draw)
    print(
        f"Wrote {_counted(files)} (-label.png), overlays (-overlay.png) and legend.png to {folder}."
    )


def _check_kept(files, made):
    """Raise InputError when what is to be written would take the place of a file that is read."""
    real = {os.path.realpath(path) for path in made}
    for file in files:
        if os.path.realpath(file) in real:
            raise InputError(f"{file} would be written over: choose another --output.")


def _write_submission(files, label_of, run, folder):
    """Write label maps alone, under the names of VOC's images."""
    from fcn_tutorial.data.voc import CLASSES

    if run.classes != CLASSES:
        raise InputError(f"{run.folder} labels other classes than VOC's: give a run on VOC.")
    write = _label_writer(folder, run.palette)
    _check_kept(files, [folder / f"{file.stem}.png" for file in files])
    for file, image in _images(files):
        write(file.stem, label_of(image))
    print(f"Wrote {_counted(files)} (NAME.png) to {folder}.")


def _images(files):
    """Read images one after the other, behind a progress bar: pairs (file, image)."""
    from tqdm import tqdm

    from fcn_tutorial.data.images import read_image

    for file in tqdm(files, desc="segment", disable=len(files) == 1):
        yield file, read_image(file)


def _listed(files, path):
    """Of the files, those whose names without suffix a text file lists, in its order."""
    if not path.is_file():
        raise InputError(f"list {path} is missing: check the path.")
    names = path.read_text(errors="replace").split()
    if not names:
        raise InputError(f"list {path} is empty: give one with names of images.")
    found = {file.stem: file for file in files}
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(names)} images that {path} lists are not there, such as "
            f"{missing[0]}: give the folder that holds them."
        )
    return [found[name] for name in names]


@app.command()
def classify(
    photos: Annotated[list[Path], typer.Argument(help="Image files.")],
    weights: Annotated[
        str, typer.Option(help="imagenet, or a weight file of Keras's VGG16.")
    ] = "imagenet",
):
    """Name what is in the middle of photos, by VGG-16 as a convolutional network: three guesses."""
    with _quiet_import():
        from fcn_tutorial.backbones import vgg16
        from fcn_tutorial.data.images import read_image
        from fcn_tutorial.surgery import convolutionize, top_classes
    images = [_middle(read_image(photo)) for photo in photos]
    network = convolutionize(vgg16(weights))
    names = _imagenet_names()
    for photo, image in zip(photos, images, strict=True):
        found = [
            (names[index] if names else f"class {index}", probability)
            for index, probability in top_classes(network, image)
        ]
        print(f"{photo}: {', '.join(f'{name} {_percent(value)}' for name, value in found)}")
    if not names:
        print("The names of the classes could not be downloaded, so they are given by number.")


def _middle(photo):
    """The photo, its shorter side resized to 224 pixels, cropped to what its centre cell sees.

    With sides of 224 plus a multiple of 64 the centre cell lies in the middle, and it sees 404
    pixels, so that 416 are enough.
    """
    from PIL import Image

    height, width = photo.shape[:2]
    scale = 224 / min(height, width)
    rows, columns = (224 + 64 * min(int(scale * side - 224) // 64, 3) for side in (height, width))
    top, left = max(0, height - rows / scale) / 2, max(0, width - columns / scale) / 2
    box = (left, top, width - left, height - top)
    return Image.fromarray(photo).resize((columns, rows), Image.Resampling.BILINEAR, box)


def _imagenet_names():
    """The names of ImageNet's 1000 classes, which Keras downloads once; None where it cannot."""
    import numpy as np
    from keras.applications.imagenet_utils import decode_predictions

    try:
        with redirect_stdout(io.StringIO()):
            decoded = decode_predictions(np.eye(1000), top=1)
    except Exception:  # Keras raises plain Exceptions for what goes wrong with a download
        return None
    return [name.replace("_", " ") for ((_, name, _),) in decoded]


@data_app.command("fetch")
def fetch_data(
    datasets: Annotated[list[str], typer.Argument(help="Data sets: camvid, voc2012, sbd.")],
    root: Annotated[Path | None, typer.Option(help="Folder of the data sets.")] = None,
):
    """Download data sets, check that they are as published, and unpack them."""
    from fcn_tutorial.data.dataset import archives_of
    from fcn_tutorial.data.download import ARCHIVES, fetch
    from fcn_tutorial.data.images import data_root

    for dataset in datasets:
        archives = archives_of(dataset)
        if not archives:
            print(f"{dataset} is drawn by the library: there is nothing to fetch.")
        for archive in archives:
            already = (data_root(root) / ARCHIVES[archive].folder).exists()
            folder = fetch(archive, root)
            print(f"{archive} {'was already' if already else 'is'} in {folder}.")


@data_app.command()
def check(
    dataset: Annotated[str, typer.Argument(help="Data set, such as camvid.")] = "camvid",
    root: Annotated[Path | None, typer.Option(help="Folder of the data sets.")] = None,
):
    """Read every image and label of a data set, and name those that are missing or damaged."""
    from fcn_tutorial.data.dataset import splits_of
    from fcn_tutorial.data.inspect import check_files, check_presence, count_faults, remedy

    splits = splits_of(dataset)
    check_presence(dataset, root)
    reports = [check_files(dataset, split, root) for split in splits]
    print(*reports, sep="\n")
    faults = [fault for report in reports for fault in report.faults]
    if faults:
        raise InputError(
            f"{dataset} has {count_faults(faults)}, named above: {remedy(dataset, faults, root)}."
        )
    published = all(report.is_published for report in reports)
    print(f"{dataset} is whole{'' if published else ', as far as its lists go'}.")


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
        from fcn_tutorial.data.dataset import load_dataset
        from fcn_tutorial.data.records import write_records
    examples = load_dataset(dataset, split, root)
    written = write_records(examples, output, min(shards, len(examples)), processes, progress=True)
    size = sum(path.stat().st_size for path in written.shards) / 1e6
    print(
        f"Wrote {len(written)} examples of {dataset} {split} as {len(written.shards)} shards "
        f"({size:.1f} MB) and index.json to {output}."
    )


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    output: Annotated[
        Path | None, typer.Option(help="File to write. Default: RUN/VARIANT.tflite or .onnx.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="Of the file: litert or onnx.")] = "litert",
    size: Annotated[
        int | None,
        typer.Option(help="Side of the images, in pixels. Default: 256; for onnx, any."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="Of the weights: int8 (default), float16 or float32; for onnx float32."),
    ] = None,
):
    """Write a run's network as a file that runs without Keras, in a browser for example."""
    if form not in FORMATS:
        raise InputError(f"--format must be one of {', '.join(FORMATS)}, got {form!r}.")
    if output and output.suffix != FORMATS[form]:
        raise InputError(
            f"a file of format {form} ends in {FORMATS[form]}, got {str(output)!r}: give another "
            "--output or --format."
        )
    with _quiet_import():
        from fcn_tutorial import export as exporting
    [opened] = _opened_runs([run])
    path = output or run / f"{opened.recipe.variant}{FORMATS[form]}"
    written = exporting.export(opened.model, path, opened.classes, opened.palette, size, precision)
    print(f"Wrote {written[0]} ({written[0].stat().st_size:,} bytes) and {written[1]}.")


@app.command()
def doctor():
    """Say what this machine has: versions, devices, data and weights."""
    with _quiet_import():
        from fcn_tutorial.devices import device_names
        from fcn_tutorial.runs import environment
    from fcn_tutorial.data.images import data_root

    for name, value in environment().items():
        print(f"{name:14}{value}")
    print(f"{'devices':14}{', '.join(device_names())}")
    camvid = data_root() / "CamVid"
    print(f"{'data':14}{data_root()} (CamVid {'found' if camvid.is_dir() else 'not there'})")
    weights = os.environ.get("FCN_WEIGHTS", "not set: Keras downloads ImageNet weights")
    missing = "FCN_WEIGHTS" in os.environ and not os.path.isdir(weights)
    print(f"{'FCN_WEIGHTS':14}{weights}{' (not there)' if missing else ''}")


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
    first = {}
    for file in files:
        twin = first.setdefault(file.stem, file)
        if twin is not file:
            raise InputError(
                f"{twin} and {file} would write to the same file: segment them into two "
                "output folders."
            )
    return files


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
    if not sys.warnoptions:
        # Of what libraries warn of, nothing is for who gives the command.
        warnings.simplefilter("ignore")
    try:
        try:
            app(prog_name="fcn-tutorial")
        finally:
            _flush()
    except InputError as error:
        _refuse(error)
    except OSError as error:
        _refuse(f"{error.filename} failed: {reason_of(error)}." if error.filename else error)
    except MemoryError:
        _refuse("the memory is full: close other programs, or give smaller images.")
    except SystemExit as stop:
        if stop.code == STOPPED:
            print("\nfcn-tutorial: stopped; what was written stays.", file=sys.stderr)
        raise


def _flush():
    """Send off what was printed; where that fails, Python does not try it again at its end."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise InputError(
            f"what the command prints cannot be written ({reason_of(error)})."
        ) from error


def _refuse(sentence):
    print(f"fcn-tutorial: {sentence}", file=sys.stderr)
    sys.exit(2)
