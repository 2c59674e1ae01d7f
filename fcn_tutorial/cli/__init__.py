"""The command line, `fcn-tutorial`: every command ends with what it wrote and where.

One module a command. Unusable input ends in one sentence on standard error and exit code 2.
"""

import typer

from fcn_tutorial.cli import classify, data, doctor, evaluate, export, report, segment, train
from fcn_tutorial.cli.common import run_command

app = typer.Typer(
    help="Fully convolutional networks for semantic segmentation.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(segment.segment)
app.add_typer(data.app, name="data")
app.command()(report.report)
app.command()(export.export)
app.command()(classify.classify)
app.command()(doctor.doctor)


def main() -> None:
    """Entry point of `fcn-tutorial`."""
    run_command(app)
