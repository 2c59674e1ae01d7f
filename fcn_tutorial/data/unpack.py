"""Tar archives from the network, which may hold anything: only regular files come out of them.

Python's own `extractall` follows links that an archive has made before, on some versions out of the
folder, and reads a header into memory however long it says it is. So each file is opened as a new
one, links and devices are refused, and headers, members and bytes are rationed.
"""

import gzip
import shutil
import tarfile
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath

from fcn_tutorial.errors import InputError, explained

GROWTH = 4  # an archive may unpack to at most this many times its own size
HEADER = 2**12  # the most bytes of headers before the content of a member
HEADERS = 2**25  # the most bytes of all headers; those of VOC 2012's 40,000 files take 21 million
DEEPEST = 16  # folders in folders
# Not all of OSError: a full disk is no fault of the archive.
BROKEN = (
    *(tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, ArithmeticError),
    *(RuntimeError, LookupError, FileExistsError, NotADirectoryError, IsADirectoryError),
)


def gzip_is_complete(path: Path, ceiling: int) -> bool:
    """Whether a gzip file of at most `ceiling` bytes can be read to its end, its checksum."""
    left = GROWTH * ceiling
    with suppress(*BROKEN), gzip.open(path) as file:
        while left >= 0 and (chunk := file.read(2**20)):
            left -= len(chunk)
        return left >= 0
    return False


class _Rationed:
    """A file that is read forwards, and only as far as its ration: a header may ask for more."""

    def __init__(self, file):
        self.file, self.tell, self.ration = file, file.tell, HEADER

    def read(self, size):
        if not 0 <= size <= self.ration:
            raise ValueError("a header in it is too long")
        self.ration -= size
        return self.file.read(size)

    def seek(self, place):
        if place < self.tell():
            raise ValueError("a header in it has a negative size")
        self.file.seek(place)


def unpack(path: Path, wanted: str, top: str, folder: Path) -> Path:
    """Unpack the regular files and folders of `wanted`, a data set's folder, from a tar archive.

    top: the folder of the archive that holds it, or "". folder: where to; empty. Returns the folder
    that `wanted` is in. InputError where the archive is damaged, lacks the data set, has a link or
    a device in its place, unpacks to far more than its own size, or has endless headers.
    """
    inside, left, headers = PurePosixPath(top, wanted), GROWTH * path.stat().st_size, HEADERS
    opened = (gzip.open if path.suffix in (".gz", ".tgz") else open)(path, "rb")
    damaged = explained(f"{path} cannot be unpacked", "delete it and fetch again", BROKEN)
    with damaged, opened as content:
        file = _Rationed(content)
        for tar, member in _members(file):
            headers -= HEADER - file.ration
            ours = PurePosixPath(member.name).is_relative_to(inside)
            left -= ours * member.size
            if min(left, headers) < 0:
                raise ValueError("it holds far more than was published")
            if ours:
                file.ration = member.size
                _unpack_member(tar, member, folder)
            file.ration = HEADER
    if not (folder / inside).is_dir():
        raise InputError(f"{path} has no folder {wanted}: delete it.")
    return folder / top


def _members(file):
    """(archive, member) for each; the archive keeps none of them, nor what is said of all."""
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            if member.size < 0:
                raise ValueError(f"{member.name!r} has a negative size")
            yield tar, member
            tar.members.clear()
            tar.pax_headers.clear()


def _unpack_member(tar, member, folder):
    name = PurePosixPath(member.name)
    if ".." in name.parts or "\\" in member.name or ":" in member.name:
        raise ValueError(f"{member.name!r} is outside its folder")
    if len(name.parts) > DEEPEST:
        raise ValueError("it holds folders that are too deep")
    target = folder / name
    (target if member.isdir() else target.parent).mkdir(parents=True, exist_ok=True)
    if member.isreg() and not member.issparse():
        with tar.extractfile(member) as content, target.open("xb") as file:
            shutil.copyfileobj(content, file)
    elif not member.isdir():
        raise ValueError(f"{member.name!r} is not a regular file")
