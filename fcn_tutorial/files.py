"""Files written completely or not at all, small ones read, and folders that one process holds."""

import os
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from fcn_tutorial.errors import InputError, explained

Item = TypeVar("Item")

# What to do where a file cannot be written.
ROOM = "free some space or choose another folder, and start again; what was written before is kept"
LARGEST = 2**24  # bytes of a text file that is read
UNFINISHED = re.compile(r"unfinished-[0-9a-f]{16}-.+")  # the name of a file still being written


def read_small(path: str | os.PathLike, parse: Callable[[str], Any], advice: str) -> Any:
    """What `parse` makes of a text file in UTF-8, such as those of a run folder.

    InputError, with the advice, unless it is a regular file of at most 16 MB that can be parsed.
    """
    with explained(f"{path} cannot be loaded", advice):
        if not os.path.isfile(path):  # a pipe or a device would be read without end
            raise ValueError("it is missing or not a regular file")
        if os.path.getsize(path) > LARGEST:
            raise ValueError(f"it has more than {LARGEST:,} bytes")
        return parse(Path(path).read_text(encoding="utf-8"))


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file in UTF-8, as `write_whole` does."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_whole(path: str | os.PathLike, write: Callable[[Path], object]) -> None:
    """Write a file completely or not at all: under another name first, then renamed.

    `write` is called with the path to write to, an empty file in the same folder, which is made
    where it is missing. A link is replaced, not followed. InputError if it fails; what was there
    before stays, and nothing of the new file.
    """
    path = Path(path)
    make_folder(path.parent)
    # Nobody can guess the name, so nobody can have left a link there that writing would follow.
    temporary = path.with_name(f"unfinished-{secrets.token_hex(8)}-{path.name}")
    try:
        # Pillow, Keras and HDF5 each wrap what the disk said in an error of their own.
        with explained(f"{path} cannot be written", ROOM):
            temporary.open("xb").close()
            write(temporary)
            with temporary.open("rb+") as file:
                # Before it replaces the old file, it must be on the disk.
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what libraries in C write to standard error, in the main thread only."""
    with ExitStack() as afterwards:
        if threading.current_thread() is threading.main_thread():
            sys.stderr.flush()
            terminal, nowhere = os.dup(2), afterwards.enter_context(open(os.devnull, "w"))
            afterwards.callback(os.close, terminal)
            afterwards.callback(os.dup2, terminal, 2)
            os.dup2(nowhere.fileno(), 2)
        yield


def in_threads(function: Callable[[Item], Any], items: Sequence[Item]) -> Iterator[Any]:
    """`function` of each item, in order; several files are read at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(function, items)


def make_folder(path: str | os.PathLike) -> None:
    """Make a folder for output, and those above it; InputError where that fails."""
    with explained(f"output folder {path} cannot be made", "choose another one"):
        Path(path).mkdir(parents=True, exist_ok=True)


@contextmanager
def held(
    folder: Path, name: str, doing: str, stays: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Keep other processes from doing the same in a folder, which is made where it is missing.

    The operating system releases the lock, the file `name` in it, when the process ends, however it
    ends. What a killed process left unfinished, in the folder or one level below, is removed first.
    Unless the lock `stays`, the folder is left as it was. InputError, which says what the folder is
    being (`doing`), where another process holds it, or nothing can be written to it.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    make_folder(folder)
    path, lock = folder / name, FileLock(folder / name)
    with explained(f"{path} cannot be written", ROOM, (OSError, NotImplementedError)):
        if path.is_symlink():  # opening the lock would empty what the link leads to
            path.unlink()
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            what = f"{folder} is being {doing} by another process"
            raise InputError(f"{what}: wait for it, or choose another folder.") from error
    try:
        for left in (*folder.glob("unfinished-*"), *folder.glob("*/unfinished-*")):
            if UNFINISHED.fullmatch(left.name):
                with suppress(OSError):
                    left.unlink()
        yield
    finally:
        if not stays():
            with suppress(OSError):  # other files are there
                path.unlink()
                for each in made:
                    each.rmdir()
        lock.release()
