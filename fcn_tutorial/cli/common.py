"""What the commands share: options, opening runs, writing label maps, and how a command fails."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

from typer import Option

from fcn_tutorial.errors import InputError, InputWarning, explained, reason_of
from fcn_tutorial.files import quiet

Dataset = Annotated[
    str | None, Option(help="Data set, or folder of your own; default: the recipe's.")
]
Split = Annotated[str | None, Option(help="Split; default: test, or val if there is no test.")]
Limit = Annotated[int, Option(min=0, help="Number of examples to use; 0 means all.")]
Scales = Annotated[
    str, Option(help="Average over resized copies: scale factors, separated by commas.")
]
Flip = Annotated[bool, Option("--flip", help="Also average over the mirror image.")]
STOPPED = 130  # exit code after Ctrl+C


@contextmanager
def quiet_import() -> Iterator[None]:
    """Hide what TensorFlow writes to the terminal while it is imported.

    Raises:
        InputError: a package is missing, such as the one that KERAS_BACKEND names.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    backend = os.environ.get("KERAS_BACKEND")
    advice = f"install it, or set KERAS_BACKEND to another one than {backend}"
    with quiet(), explained("a package cannot be imported", advice if backend else "install it"):
        yield


def run_command(app: Callable[..., object]) -> None:
    """Run the command line; unusable input ends in one sentence and exit code 2."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries warn their callers, not who types a command
        warnings.simplefilter("default", InputWarning)
        warnings.showwarning = say  # type: ignore[assignment]
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
        _refuse("out of memory: close other programs, or use smaller images.")
    except SystemExit as stop:
        if stop.code == STOPPED:
            print("\nfcn-tutorial: stopped; files already written are kept.", file=sys.stderr)
        raise


def _flush() -> None:
    """Write out what was printed; if that fails, keep Python from trying again at exit."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise InputError(f"the output cannot be written ({reason_of(error)}).") from error


def say(sentence: object, *where: object) -> None:
    """Print a sentence on standard error, above a progress bar; `where` warnings come from."""
    from tqdm import tqdm

    tqdm.write(f"fcn-tutorial: {sentence}", file=sys.stderr)


def _refuse(sentence: object) -> NoReturn:
    say(InputError(str(sentence)))  # which shortens a path of megabytes
    sys.exit(2)


def open_runs(folders: Iterable[Path]) -> list:
    """Open run folders, which must share their classes."""
    from fcn_tutorial.runs import load_run

    opened = [load_run(folder) for folder in folders]
    for run in opened:
        if run.classes != opened[0].classes:
            raise InputError(
                f"{run.folder} and {opened[0].folder} need the same classes to be averaged."
            )
    return opened


def examples_of(run, dataset: str | None, split: str | None, limit: int):
    """The examples that --dataset, --split and --limit name; a run's own, where they leave it."""
    from fcn_tutorial.data.catalog import load_dataset, splits_of
    from fcn_tutorial.data.dataset import limited

    name = dataset or run.recipe.dataset
    return limited(load_dataset(name, split or splits_of(name)[-1]), limit)


def place_of(run: Path, name: str) -> Path:
    """Where a file on a run goes: its folder; this one for a network that the package carries."""
    return run / name if run.is_dir() else Path(f"{run}-{name}")


def compare_with_training(opened: Iterable, examples) -> dict[str, int]:
    """Print what has changed since the runs were trained, and which examples they have seen.

    Returns {"overlap": number of these examples}; {} if the training data are not on this machine.
    """
    from fcn_tutorial import runs, training
    from fcn_tutorial.data.dataset import shared_examples

    seen, known = set(), True
    for run in opened:
        try:
            data = training.splits(run.recipe)
            seen.update(shared_examples(data[0], examples))
            now = runs.surroundings(*data)
        except InputError:
            now, known = runs.environment(), False
        then = runs.read_surroundings(run.folder)
        pairs = runs.differences(then, now)
        changed = [f"{key} was {str(old)[:20]}, is now {str(new)[:20]}" for key, old, new in pairs]
        if changed:
            print(f"Changed since {run.folder} was trained: {'; '.join(changed)}.")
    if known and seen:
        verb = "was" if len(seen) == 1 else "were"
        print(f"{len(seen)} of these examples {verb} used for training.")
    return {"overlap": len(seen)} if known else {}


def server_folder(folder: Path, split: str) -> Path:
    """Where VOC's evaluation server expects the label maps of a split.

    "comp6" is its segmentation competition for models trained on more than VOC's own images.
    Source: the development kit of VOC 2012, section 5.3, and clsresdir in its VOCinit.m.
    """
    return folder / "results" / "VOC2012" / "Segmentation" / f"comp6_{split}_cls"
