"""`fcn-tutorial export`."""

import shlex
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from fcn_tutorial.cli.common import place_of, quiet_import
from fcn_tutorial.errors import InputError, check_choice

FORMATS = {"litert": ".tflite", "onnx": ".onnx"}  # and how the names of their files end
Output = Annotated[Path | None, Option(help="File to write. Default: RUN/VARIANT.tflite or .onnx.")]
Format = Annotated[
    str | None,
    Option("--format", help="File format: litert (default) or onnx (default with --demo)."),
]
Size = Annotated[
    str | None,
    Option(
        metavar="HxW",
        help="Height and width of the images in pixels, such as 240x320, or one number for both. "
        "Default: 256; for onnx, any.",
    ),
]
Precision = Annotated[
    str | None,
    Option(help="Precision of the weights: int8 (default), float16 or float32; for onnx, float32."),
]
Demo = Annotated[
    bool,
    Option(
        "--demo",
        help="Also write a 25-line Python file that segments a photo with the onnx file and needs "
        "only NumPy, Pillow and onnxruntime.",
    ),
]


def export(
    run: Annotated[Path, Argument(help="Run folder, or name of a network such as voc_fcn8s.")],
    output: Output = None,
    form: Format = None,
    size: Size = None,
    precision: Precision = None,
    demo: Demo = False,
) -> None:
    """Write a run's network as a file that runs without Keras, in a browser for example."""
    form = form or ("onnx" if demo else "litert")
    check_choice("--format", form, FORMATS)
    if output and output.suffix != FORMATS[form]:
        raise InputError(
            f"--output {str(output)!r} must end in {FORMATS[form]} for --format {form}: change one."
        )
    with quiet_import():
        from fcn_tutorial import export as exporting
        from fcn_tutorial.runs import load_run
    sides: Any = None
    if size is not None:  # "240x320", or "256"
        parts = size.strip().lower().split("x", 1)
        sides = [int(each) if each.isdecimal() and len(each) < 6 else each for each in parts]
    opened = load_run(run)
    path = output or place_of(run, f"{opened.recipe.variant}{FORMATS[form]}")
    what = opened.model, path, opened.classes, opened.palette
    file, *beside = exporting.export(*what, sides, precision, demo)
    written = [f"{file} ({file.stat().st_size:,} bytes)", *map(str, beside)]
    print(f"Wrote {', '.join(written[:-1])} and {written[-1]}.")
    if demo:
        print(f"Try it: {shlex.join(['python', str(beside[-1]), 'photo.jpg', 'overlay.png'])}")
