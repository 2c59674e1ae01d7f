"""`fcn-tutorial export`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fcn_tutorial.cli.common import quiet_import
from fcn_tutorial.errors import InputError, check_choice

FORMATS = {"litert": ".tflite", "onnx": ".onnx"}  # and how the names of their files end


def export(
    run: Annotated[Path, Argument(help="Run folder.")],
    output: Annotated[
        Path | None, Option(help="File to write. Default: RUN/VARIANT.tflite or .onnx.")
    ] = None,
    form: Annotated[str, Option("--format", help="File format: litert or onnx.")] = "litert",
    size: Annotated[
        int | None,
        Option(help="Side length of the images in pixels. Default: 256; for onnx, any."),
    ] = None,
    precision: Annotated[
        str | None,
        Option(
            help="Precision of the weights: int8 (default), float16 or float32; for onnx, float32."
        ),
    ] = None,
) -> None:
    """Write a run's network as a file that runs without Keras, in a browser for example."""
    check_choice("--format", form, FORMATS)
    if output and output.suffix != FORMATS[form]:
        raise InputError(
            f"--output {str(output)!r} must end in {FORMATS[form]} for format {form}: change "
            "--output or --format."
        )
    with quiet_import():
        from fcn_tutorial import export as exporting
        from fcn_tutorial.runs import load_run
    opened = load_run(run)
    path = output or run / f"{opened.recipe.variant}{FORMATS[form]}"
    written = exporting.export(opened.model, path, opened.classes, opened.palette, size, precision)
    print(f"Wrote {written[0]} ({written[0].stat().st_size:,} bytes) and {written[1]}.")
