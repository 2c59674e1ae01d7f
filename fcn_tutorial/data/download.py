"""Fetch published data sets: download, check, unpack; a partial download is never used.

A download resumes where it was cut, tries each mirror in turn, and is checked against the published
size and MD5 sum before anything is unpacked. Archives are unpacked into a folder of its own, and
the data set is moved into place when it is complete.

CamVid comes from a commit of a repository on GitHub, which packs the archive at each request: it
has neither a size nor a sum that could be published, and after a cut GitHub sends it from its
start. So gzip's own checksum says whether the archive is complete, and what was unpacked is checked
before it is moved into place: every image and label is decoded, and the SHA-256 sum of the names,
sizes and pixels must be that of the published files. That sum is ours, not their authors'.
"""

import hashlib
import multiprocessing
import os
import shutil
import time
from collections.abc import Mapping
from multiprocessing.pool import ThreadPool
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
import urllib3
from tqdm import tqdm

from fcn_tutorial.data.catalog import ARCHIVES, Archive, load_dataset, splits_of
from fcn_tutorial.data.dataset import data_root
from fcn_tutorial.data.unpack import gzip_is_complete, unpack
from fcn_tutorial.errors import InputError, check_choice, explained, reason_of
from fcn_tutorial.files import held

TRIES = 5  # for each mirror, in a row without progress
PAUSE = 0.5  # seconds before the next try, doubled after each without progress
STALL = 30  # seconds without another chunk after which a connection counts as cut
CHUNK = 2**14  # bytes
LATER = (408, 429, 500, 502, 503, 504)  # HTTP codes after which another try may succeed

FULL = "free some space or set FCN_DATA to another folder, and fetch again; downloads are kept"
CUT = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)
ODD = (requests.RequestException, ValueError)  # what a server says that makes no sense


def fetch(
    name: str,
    root: str | os.PathLike | None = None,
    archives: Mapping[str, Archive] = ARCHIVES,
    progress: bool = True,
) -> Path:
    """Download a data set and unpack it below the data root; one that is there is left alone.

    name: a key of `archives`; root: as for `load_dataset`. Returns the folder of the data set.
    InputError where the name is unknown, no mirror gives the published file, the archive holds
    something else, the disk is full, or another process is downloading it.
    """
    check_choice("archive", name, sorted(archives))
    archive, folder = archives[name], data_root(root)
    if not (folder / archive.folder).exists():
        with explained(f"{folder} cannot be written to", FULL, (OSError,)):
            _fetch(name, archive, folder, progress)
    return folder / archive.folder


def _fetch(name, archive, root, progress):
    downloads, unfinished = root / "downloads", f"unfinished-{name}-"
    downloads.mkdir(parents=True, exist_ok=True)
    with held(downloads, f"{archive.file}.lock", "downloaded to"):
        for left in downloads.glob(f"{unfinished}*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        path = download(archive, downloads, progress)
        with TemporaryDirectory(prefix=unfinished, dir=downloads) as folder:
            unpacked = unpack(path, archive.folder, archive.top, Path(folder))
            if archive.content:
                _check_content(name, unpacked, archive.content, path, progress)
            target = root / archive.folder
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(unpacked / archive.folder, target)
        path.unlink()


def download(archive: Archive, folder: Path, progress: bool = True) -> Path:
    """Download an archive into a folder; a part that is already there is completed.

    InputError with the reason of each mirror where none gives the published file.
    """
    path, part = folder / archive.file, folder / f"{archive.file}.part"
    if _is_published(path, archive):
        return path
    if part.is_symlink() or not part.is_file():  # writing would follow a link, or wait at a pipe
        part.unlink(missing_ok=True)
    # A process that was killed may have left all of it.
    if not _is_published(part, archive):
        reasons = []
        for url in archive.urls:
            try:
                _complete(url, archive, part, progress)
                break
            except (_Useless, *ODD) as error:
                reasons.append(f"{url}: {reason_of(error)}")
        else:
            raise InputError(
                f"{archive.file} cannot be downloaded ({'; '.join(reasons)}): try again later."
            )
    os.replace(part, path)
    return path


class _Useless(Exception):
    """A mirror does not have the published file; the message says what it does instead."""


def _complete(url, archive, part, progress):
    """Add to `part` until it is the published file; raises _Useless where the mirror cannot."""
    fruitless, furthest = 0, _size(part)
    while True:
        try:
            _receive(url, archive, part, progress)
            break
        except CUT as error:
            reason = reason_of(error)
        if not part.exists():  # it was longer than the file
            furthest = 0
        # A mirror that cannot resume starts over: only a longer part than ever is progress.
        fruitless = 0 if _size(part) > furthest else fruitless + 1
        furthest = max(furthest, _size(part))
        if fruitless == TRIES:
            raise _Useless(reason)
        time.sleep(PAUSE * 2**fruitless)
    if not _is_published(part, archive):
        if _size(part) >= (archive.size or 0):  # a shorter one is of another mirror
            part.unlink(missing_ok=True)
        raise _Useless("its file is not the published one (size or checksum)")


def _receive(url, archive, part, progress):
    """One connection: append what it gives to `part`; raises CUT where that is not all of it."""
    arriving = _in_time(_arriving(url, _size(part)))
    response = next(arriving)
    if response.status_code == 416:  # the part is longer than the mirror's file
        part.unlink(missing_ok=True)
    if response.status_code in (416, *LATER):
        raise requests.ConnectionError(f"HTTP {response.status_code}")
    have, total = _extent(response, _size(part), archive)
    most = archive.size or archive.ceiling
    how = {"unit": "B", "unit_scale": True, "disable": not progress}
    bar = tqdm(desc=archive.file, total=total, initial=have, **how)
    with part.open("ab" if have else "wb") as file, bar:
        for chunk in arriving:
            have += len(chunk)
            if have > most:
                part.unlink()
                raise _Useless(f"it sends more than {most:,} bytes")
            file.write(chunk)
            bar.update(len(chunk))
    if have < (total or 0):
        raise requests.ConnectionError("the connection was cut")


def _arriving(url, have):
    """What a server sends of a file from a byte on: first the response, then its chunks."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=STALL) as response:
        yield response
        yield from response.raw.stream(CHUNK, decode_content=False)


def _in_time(items):
    """The items of an iterator; raises CUT where the next takes longer than STALL seconds.

    A socket's own limit is for each byte, and a server that drips can keep within it for days.
    """
    with ThreadPool(1) as pool:  # whose thread nobody waits for
        while True:
            try:
                yield pool.apply_async(next, (items,)).get(STALL)
            except StopIteration:
                return
            except multiprocessing.TimeoutError:
                raise requests.Timeout(f"hardly anything came in {STALL} seconds") from None


def _extent(response, have, archive):
    """Where a response starts in the file and how long the file is (None: unknown), in bytes."""
    if response.status_code == 200:
        have = 0
    elif response.status_code != 206:
        raise _Useless(f"HTTP {response.status_code}")
    elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise _Useless("it sends another part of the file than was asked for")
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdecimal() and len(length) < 20 else archive.size
    if archive.size not in (None, total) or (total or 0) > archive.ceiling:
        raise _Useless("its file is not the published one (size)")
    return have, total


def _size(path):
    return path.stat().st_size if path.is_file() else 0


def _is_published(path, archive):
    if not path.is_file() or archive.size not in (None, _size(path)):
        return False
    if archive.md5 is None:
        return gzip_is_complete(path, archive.ceiling)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == archive.md5


def _check_content(name, root, content, path, progress):
    """Raise InputError unless the data set below `root`, unpacked from `path`, is as published."""
    try:
        found = content_digest(name, root, progress)
        reason = f"its images and labels have the SHA-256 sum {found}, not {content}"
    except InputError as error:
        found, reason = "", str(error).rstrip(".")
    if found != content:
        raise InputError(f"{path} is not as published ({reason}): delete it and fetch again.")


def content_digest(name: str, root: str | os.PathLike | None = None, progress: bool = True) -> str:
    """SHA-256 sum, in hex, of the names, sizes and pixels of all splits of a data set.

    How the files are compressed does not count.
    """
    digest = hashlib.sha256()
    for split in splits_of(name):
        examples = load_dataset(name, split, root)
        for index in tqdm(range(len(examples)), desc=f"check {split}", disable=not progress):
            image, label = examples[index]
            digest.update(f"{split}/{examples.names[index]} {image.shape}".encode())
            digest.update(image)
            digest.update(label)
    return digest.hexdigest()
