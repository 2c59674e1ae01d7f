"""`fcn-tutorial report`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fcn_tutorial.cli import common


def report(
    run: Annotated[Path, Argument(help="Run folder, or name of a network such as voc_fcn8s.")],
    dataset: common.Dataset = None,
    split: common.Split = None,
    limit: common.Limit = 0,
    output: Annotated[
        Path | None, Option(help="HTML file. Default: RUN/report-DATASET-SPLIT.html.")
    ] = None,
) -> None:
    """Write an HTML page with curves, scores, and the worst and typical images."""
    with common.quiet_import():
        from fcn_tutorial.files import make_folder
        from fcn_tutorial.report import write_report
    opened = common.open_runs([run])
    examples = common.examples_of(opened[0], dataset, split, limit)
    first = f"-first{limit}" if limit else ""
    name = f"report-{examples.name}-{examples.split}{first}.html"
    path = output or common.place_of(run, name)
    make_folder(path.parent)
    seen = common.compare_with_training(opened, examples)
    write_report(opened[0], examples, path, seen.get("overlap"))
    print(f"Wrote {path} ({path.stat().st_size:,} bytes): open it in a browser.")
