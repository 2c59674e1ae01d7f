"""Fetch published data sets: download, check, unpack; nothing half-finished is taken for whole.

A download goes on where it was cut, tries each mirror in turn, and is checked against the
published size and MD5 sum before anything is unpacked. Archives are unpacked into a folder beside
the data and moved into place as a whole.
"""

import gzip
import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from fcn_tutorial.datasets.files import data_root
from fcn_tutorial.errors import InputError

TRIES = 5  # for each mirror, in a row without a single new byte
PAUSE = 0.5  # seconds before the next try, doubled after each fruitless one
STALL = 30  # seconds without a byte after which a connection counts as cut
CHUNK = 2**18
GROWTH = 4  # an archive may unpack to at most this many times its own size
CUT = (OSError, http.client.HTTPException)  # URLError, timeouts and resets are OSErrors

BROKEN = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)


@dataclass(frozen=True)
class Archive:
    """A published file: mirrors (tried in this order), what it must be, and the folder it holds."""

    file: str
    urls: tuple[str, ...]
    size: int | None  # in bytes; None where it is not published
    md5: str
    folder: str  # below the data root, once unpacked


ARCHIVES = {
    "voc2012": Archive(
        file="VOCtrainval_11-May-2012.tar",
        urls=(
            "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            "https://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
        ),
        size=1_999_639_040,
        md5="6cd6e144f989b92b3379bac3b3de84fd",
        folder="VOCdevkit/VOC2012",
    ),
    "sbd": Archive(
        file="benchmark.tgz",
        urls=(
            "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/"
            "semantic_contours/benchmark.tgz",
        ),
        size=None,
        md5="82b4d87ceb2ed10f6038a1cba92111cb",
        folder="benchmark_RELEASE",
    ),
}


def fetch(name, root=None, archives=ARCHIVES, progress=True):
    """Download a data set and unpack it below the data root; returns its folder.

    name: a key of `archives`. root: as for `load_dataset`. A data set that is there already is left
    alone. Raises InputError for an unknown name, when no mirror gives the published file, when the
    archive would write outside its folder, or when the disk does not take it.
    """
    if name not in archives:
        raise InputError(f"cannot fetch {name!r}: use one of {', '.join(sorted(archives))}.")
    archive, root = archives[name], data_root(root)
    target = root / archive.folder
    if target.exists():
        return target
    try:
        downloads = root / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        path = download(archive, downloads, progress)
        unpack(path, archive, root)
    except OSError as error:
        raise InputError(
            f"{error.filename or root} cannot be written ({error.strerror}): free the disk or set "
            "FCN_DATA to another folder, and fetch again; what is downloaded is kept."
        ) from error
    path.unlink()
    return target


def download(archive, folder, progress=True):
    """Download an archive into `folder` and return its path, whole and checked.

    A part that is there already, from a cut connection or an earlier try, is gone on with.
    Raises InputError, with the reason of each mirror, when none gives the published file.
    """
    path, part = folder / archive.file, folder / f"{archive.file}.part"
    if _is_published(path, archive):
        return path
    reasons = []
    for url in archive.urls:
        reason = _download_from(url, archive, part, progress)
        if reason is None:
            os.replace(part, path)
            return path
        reasons.append(f"{url}: {reason}")
    raise InputError(
        f"{archive.file} cannot be downloaded ({'; '.join(reasons)}): try again later."
    )


def _download_from(url, archive, part, progress):
    """Go on with `part` until it is whole; returns None, or why this mirror cannot give it."""
    fruitless = 0
    while fruitless < TRIES:
        before = _size(part)
        try:
            ended = _receive(url, archive, part, progress)
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code}"
            if error.code == 416:  # the part is longer than the mirror's file
                part.unlink(missing_ok=True)
            elif error.code in (403, 404, 410):
                return reason
        except CUT as error:
            if isinstance(error, OSError) and error.filename:
                raise  # the disk's fault, not the mirror's
            reason = str(error) or type(error).__name__
        else:
            if ended and _is_published(part, archive):
                return None
            if ended:
                part.unlink(missing_ok=True)
                return "its file is not the published one (size or MD5 sum)"
            reason = "the connection was cut"
        fruitless = 0 if _size(part) > before else fruitless + 1
        time.sleep(PAUSE * 2**fruitless)
    return reason


def _receive(url, archive, part, progress):
    """One connection: append what it gives to `part`; returns whether it gave all it announced."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=STALL) as response:
        if not (response.status == 206 and _first_byte(response) == have):
            have = 0
        announced = response.headers.get("Content-Length")
        total = have + int(announced) if announced else archive.size
        if archive.size and total != archive.size:
            return True  # as whole as it will become, and not the published file
        bar = tqdm(
            desc=archive.file,
            total=total,
            initial=have,
            unit="B",
            unit_scale=True,
            disable=not progress,
        )
        with part.open("ab" if have else "wb") as file, bar:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    return _size(part) >= (total or 0)


def _first_byte(response):
    """Where the part that a server sends begins, from `Content-Range: bytes 5-9/10`."""
    digits = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(digits) if digits.isdigit() else None


def _size(path):
    return path.stat().st_size if path.is_file() else 0


def _is_published(path, archive):
    if not path.is_file() or archive.size not in (None, _size(path)):
        return False
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest() == archive.md5


def unpack(path, archive, root):
    """Unpack a tar archive below `root`: its folder appears there whole, or not at all.

    Raises InputError when a member would be written outside, is a link or a device that tarfile's
    filter "data" refuses, or when the archive unpacks to far more than its own size.
    """
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=root) as temporary:
        try:
            with tarfile.open(path) as tar:
                total = sum(member.size for member in tar)
                if total > GROWTH * path.stat().st_size:
                    raise InputError(
                        f"{path} would unpack to {total:,} bytes: it is not as published."
                    )
                tar.extractall(temporary, filter="data")
        except BROKEN as error:
            raise InputError(
                f"{path} cannot be unpacked ({error}): delete it, fetch again."
            ) from error
        source, target = Path(temporary) / archive.folder, root / archive.folder
        if not source.is_dir():
            raise InputError(f"{path} has no folder {archive.folder}: delete it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
