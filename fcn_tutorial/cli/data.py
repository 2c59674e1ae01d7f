"""`fcn-tutorial data fetch`, `data check`, `data inspect`, `data convert` and `data records`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from fcn_tutorial.cli.common import quiet_import
from fcn_tutorial.errors import InputError
from fcn_tutorial.tables import counted, percent

app = Typer(help="Fetch, check, inspect, convert and pack data sets.", no_args_is_help=True)
Root = Annotated[Path | None, Option(help="Folder that holds the data sets. Default: $FCN_DATA.")]


@app.command()
def fetch(
    datasets: Annotated[list[str], Argument(help="Data sets: camvid, voc2012, sbd.")],
    root: Root = None,
) -> None:
    """Download data sets, verify that they are as published, and unpack them."""
    from fcn_tutorial.data import download
    from fcn_tutorial.data.catalog import ARCHIVES, source
    from fcn_tutorial.data.dataset import data_root

    for dataset in datasets:
        archives = source(dataset).archives
        if not archives:
            print(f"{dataset} is on this machine already: there is nothing to fetch.")
        for archive in archives:
            already = (data_root(root) / ARCHIVES[archive].folder).exists()
            folder = download.fetch(archive, root)
            print(f"{archive} {'was already' if already else 'is'} in {folder}.")


@app.command()
def check(
    dataset: Annotated[
        str, Argument(help="Data set, such as camvid, or a folder of your own.")
    ] = "camvid",
    root: Root = None,
) -> None:
    """Read every image and label of a data set, and list those that are missing or damaged."""
    from fcn_tutorial.data.catalog import splits_of
    from fcn_tutorial.data.inspect import advice, check_files, check_presence

    splits = splits_of(dataset)
    check_presence(dataset, root)
    reports = [check_files(dataset, split, root) for split in splits]
    print(*reports, sep="\n")
    if faults := {fault for report in reports for fault in report.faults}:
        count = f"{counted(len(faults), 'fault')}, listed above"
        raise InputError(f"{dataset} has {count}: {advice(dataset, faults, root)}.")
    published = all(report.is_published for report in reports)
    print(f"{dataset} is complete{'' if published else ' for the listed files'}.")


@app.command()
def inspect(
    folder: Annotated[str, Argument(help="Folder of images and masks, or the name of a data set.")],
    output: Annotated[Path, Option(help="Image file to write.")] = Path("inspect.png"),
    root: Root = None,
) -> None:
    """Summarize the images and classes of a data set, and report what looks wrong."""
    from fcn_tutorial.data.survey import survey
    from fcn_tutorial.files import write_whole
    from fcn_tutorial.plotting import draw_contact_sheet

    found = survey(folder, root)
    first = next(iter(found.splits.values()))
    for split, examples in found.splits.items():
        print(f"{split}: {counted(len(examples), 'image')}")
    sizes = [f"{w} x {h} ({count})" for (w, h), count in found.sizes.most_common(4)]
    print(f"sizes: {', '.join(sizes)}{', ...' * (len(found.sizes) > 4)}")
    total = found.pixels.sum() + found.void
    print(f"\n{'class':24}{'pixels':>10}{'images':>8}")
    for name, pixels, images in zip(first.classes, found.pixels, found.images, strict=True):
        print(f"{name:24}{percent(pixels / total):>10}{images:>8}")
    print(f"{'void':24}{percent(found.void / total):>10}\n")
    print(*getattr(first, "notes", ()), *(found.warnings or ["Nothing looks wrong."]), sep="\n")
    rows = [
        (first.classes[c], _pictures(found.splits[split], index))
        for c, (split, index) in found.largest.items()
    ]
    if not rows:
        raise InputError(f"the masks of {folder} show no class: check them, or its table.")
    write_whole(output, lambda path: draw_contact_sheet(rows, path))
    print(f"Wrote {output}: image, mask and overlay for each class.")


def _pictures(dataset, index):
    """Image, mask and overlay of an example, at most 480 pixels wide."""
    from fcn_tutorial.plotting import colorize, overlay

    image, label = dataset[index]
    step = max(1, label.shape[1] // 480)
    image, label = image[::step, ::step], label[::step, ::step]
    return [image, colorize(label, dataset.palette), overlay(image, label, dataset.palette)]


@app.command()
def convert(
    source: Annotated[
        Path, Argument(help="LabelMe or COCO JSON, or a folder in any layout of masks.")
    ],
    output: Annotated[Path, Option(help="New folder for images/, masks/ and classes.csv.")],
) -> None:
    """Turn polygons or masks into images/ and masks/; the smaller of two polygons is on top."""
    from fcn_tutorial.data import convert as converting

    count, classes, notes = converting.convert(source, output)
    print(*notes, sep="\n", end="\n" * bool(notes))
    written = f"{counted(count, 'image')} and {'its mask' if count == 1 else 'masks'}"
    print(f"Wrote {written}, and classes.csv ({', '.join(classes)}), to {output}.")


@app.command()
def records(
    dataset: Annotated[str, Argument(help="Data set, such as camvid, or a folder of your own.")],
    output: Annotated[Path, Option(help="Folder for the shards and their index.")],
    split: Annotated[str, Option(help="Split of the data set.")] = "train",
    shards: Annotated[int, Option(min=1, help="Number of files.")] = 8,
    processes: Annotated[int, Option(min=1, help="Files to write in parallel.")] = 1,
    root: Root = None,
) -> None:
    """Pack a split into a few large files of encoded images and labels."""
    with quiet_import():
        from fcn_tutorial.data.catalog import load_dataset
        from fcn_tutorial.data.records import write_records
    examples = load_dataset(dataset, split, root)
    written = write_records(examples, output, min(shards, len(examples)), processes, progress=True)
    size = sum(path.stat().st_size for path in written.shards) / 1e6
    print(
        f"Wrote {counted(len(written), 'example')} of {dataset} {split} as "
        f"{counted(len(written.shards), 'shard')} ({size:.1f} MB) and index.json to {output}."
    )
