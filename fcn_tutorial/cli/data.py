"""`fcn-tutorial data fetch`, `data check` and `data records`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from fcn_tutorial.cli.common import quiet_import
from fcn_tutorial.errors import InputError

app = Typer(help="Fetch, check and pack data sets.", no_args_is_help=True)
Root = Annotated[Path | None, Option(help="Folder that holds the data sets. Default: $FCN_DATA.")]


@app.command()
def fetch(
    datasets: Annotated[list[str], Argument(help="Data sets: camvid, voc2012, sbd.")],
    root: Root = None,
) -> None:
    """Download data sets, verify that they are as published, and unpack them."""
    from fcn_tutorial.data import download
    from fcn_tutorial.data.catalog import ARCHIVES, archives_of
    from fcn_tutorial.data.dataset import data_root

    for dataset in datasets:
        archives = archives_of(dataset)
        if not archives:
            print(f"The library draws {dataset} itself: there is nothing to fetch.")
        for archive in archives:
            already = (data_root(root) / ARCHIVES[archive].folder).exists()
            folder = download.fetch(archive, root)
            print(f"{archive} {'was already' if already else 'is'} in {folder}.")


@app.command()
def check(
    dataset: Annotated[str, Argument(help="Data set, such as camvid.")] = "camvid",
    root: Root = None,
) -> None:
    """Read every image and label of a data set, and list those that are missing or damaged."""
    from fcn_tutorial.data.catalog import splits_of
    from fcn_tutorial.data.inspect import check_files, check_presence, count_faults, remedy

    splits = splits_of(dataset)
    check_presence(dataset, root)
    reports = [check_files(dataset, split, root) for split in splits]
    print(*reports, sep="\n")
    faults = [fault for report in reports for fault in report.faults]
    if faults:
        raise InputError(
            f"{dataset} has {count_faults(faults)}, listed above: {remedy(dataset, faults, root)}."
        )
    published = all(report.is_published for report in reports)
    print(f"{dataset} is complete{'' if published else ' for the listed files'}.")


@app.command()
def records(
    dataset: Annotated[str, Argument(help="Data set, such as camvid.")],
    output: Annotated[Path, Option(help="Folder for the shards and their index.")],
    split: Annotated[str, Option(help="Split of the data set.")] = "train",
    shards: Annotated[int, Option(min=1, help="Number of files.")] = 8,
    processes: Annotated[int, Option(min=1, help="Files to write in parallel.")] = 1,
    root: Root = None,
) -> None:
    """Pack a split into a few large files of encoded images and labels; resumes if interrupted."""
    with quiet_import():
        from fcn_tutorial.data.catalog import load_dataset
        from fcn_tutorial.data.records import write_records
    examples = load_dataset(dataset, split, root)
    written = write_records(examples, output, min(shards, len(examples)), processes, progress=True)
    size = sum(path.stat().st_size for path in written.shards) / 1e6
    print(
        f"Wrote {len(written)} examples of {dataset} {split} as {len(written.shards)} shards "
        f"({size:.1f} MB) and index.json to {output}."
    )
