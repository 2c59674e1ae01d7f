"""Fetch published data sets: download, check, unpack; a partial download is never used.

A download resumes where it was cut, tries each mirror in turn, and is checked against the published
size and MD5 sum before anything is unpacked. Archives are unpacked into a folder beside the data,
which is moved into place when it is complete.

CamVid comes from a commit of a repository on GitHub, which packs the archive at each request: it
has neither a size nor a sum that could be published, and after a cut GitHub sends it from its
start. So gzip's own checksum says whether the archive is complete, and what was unpacked is checked
before it is moved into place: every image and label is decoded, and the SHA-256 sum of the names,
sizes and pixels must be that of the published files. That sum is ours, not their authors'.
"""

import gzip
import hashlib
import os
import shutil
import tarfile
import time
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tqdm import tqdm

from fcn_tutorial.data.catalog import ARCHIVES, Archive, load_dataset, splits_of
from fcn_tutorial.data.dataset import data_root
from fcn_tutorial.errors import InputError, check_choice, explained, reason_of
from fcn_tutorial.files import held

TRIES = 5  # for each mirror, in a row without progress
PAUSE = 0.5  # seconds before the next try, doubled after each without progress
STALL = 30  # seconds without a byte after which a connection counts as cut
CHUNK = 2**14
GROWTH = 4  # an archive may unpack to at most this many times its own size
MEMBERS = 200_000  # the most files and folders of an archive
LATER = (408, 429, 500, 502, 503, 504)  # HTTP codes after which another try may succeed

CUT = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)
BROKEN = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError, OverflowError)


def fetch(
    name: str,
    root: str | os.PathLike | None = None,
    archives: Mapping[str, Archive] = ARCHIVES,
    progress: bool = True,
) -> Path:
    """Download a data set and unpack it below the data root; one that is there is left alone.

    Args:
        name: a key of `archives`.
        root: as for `load_dataset`.
        archives: what can be fetched.
        progress: whether to show bars.

    Returns:
        The folder of the data set.

    Raises:
        InputError: unknown name, no mirror gives the published file, the archive holds something
            else, the disk is full, or another process is downloading it.
    """
    check_choice("archive", name, sorted(archives))
    archive, folder = archives[name], data_root(root)
    if not (folder / archive.folder).exists():
        try:
            _fetch(name, archive, folder, progress)
        except OSError as error:
            raise InputError(
                f"{error.filename or folder} cannot be written ({reason_of(error)}): free some "
                "space, or set FCN_DATA to another folder, and fetch again; what was downloaded is "
                "kept."
            ) from error
    return folder / archive.folder


def _fetch(name, archive, root, progress):
    downloads, unfinished = root / "downloads", root / f"unfinished-{name}"
    downloads.mkdir(parents=True, exist_ok=True)
    with held(downloads, f"{archive.file}.lock", "downloaded to"):
        path = download(archive, downloads, progress)
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
        try:
            unpacked = unpack(path, archive, unfinished)
            if archive.content:
                _check_content(name, unpacked, archive.content, path, progress)
            target = root / archive.folder
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(unpacked / archive.folder, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        path.unlink()


def download(archive: Archive, folder: Path, progress: bool = True) -> Path:
    """Download an archive; a part that is already there is completed.

    Args:
        archive: what to download.
        folder: where to.
        progress: whether to show a bar.

    Returns:
        The file, complete and checked.

    Raises:
        InputError: no mirror gives the published file; the message has the reason of each.
    """
    path, part = folder / archive.file, folder / f"{archive.file}.part"
    if _is_published(path, archive):
        return path
    if part.is_symlink():  # writing would follow it
        part.unlink()
    reasons = []
    # A process that was killed may have left all of it.
    if not _is_published(part, archive):
        for url in archive.urls:
            reason = _download_from(url, archive, part, progress)
            if reason is None:
                break
            reasons.append(f"{url}: {reason}")
        else:
            raise InputError(
                f"{archive.file} cannot be downloaded ({'; '.join(reasons)}): try again later."
            )
    os.replace(part, path)
    return path


class _Useless(Exception):
    """A mirror does not have the published file; the message says what it does instead."""


def _download_from(url, archive, part, progress):
    """Add to `part` until it is complete; returns None, or why this mirror cannot give it."""
    fruitless, furthest = 0, _size(part)
    with _session() as session:
        while fruitless < TRIES:
            try:
                _receive(session, url, archive, part, progress)
                if _is_published(part, archive):
                    return None
                if _size(part) >= (archive.size or 0):  # a shorter one is of another mirror
                    part.unlink(missing_ok=True)
                return "its file is not the published one (size or checksum)"
            except _Useless as error:
                return str(error)
            except CUT as error:
                reason = reason_of(error)
            if not part.exists():  # it was longer than the file
                furthest = 0
            # A mirror that cannot resume starts over: only a longer part than ever is progress.
            fruitless = 0 if _size(part) > furthest else fruitless + 1
            furthest = max(furthest, _size(part))
            time.sleep(PAUSE * 2**fruitless)
    return reason


def _session():
    """A session that tries again where connecting fails or a server is busy."""
    retries = urllib3.Retry(
        TRIES - 1,
        status_forcelist=LATER,
        backoff_factor=PAUSE,
        raise_on_status=False,
        respect_retry_after_header=False,  # a server may ask for any time
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retries))
    return session


def _receive(session, url, archive, part, progress):
    """One connection: append what it gives to `part`; raises CUT where that is not all of it."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = session.get(url, headers=headers, stream=True, timeout=STALL)
    except CUT as error:  # after TRIES tries
        raise _Useless(reason_of(error)) from error
    with response:
        if response.status_code == 416:  # the part is longer than the mirror's file
            part.unlink(missing_ok=True)
            raise requests.RequestException("HTTP 416")
        have, total = _extent(response, have, archive)
        most = archive.size or archive.ceiling
        how = {"unit": "B", "unit_scale": True, "disable": not progress}
        bar = tqdm(desc=archive.file, total=total, initial=have, **how)
        with part.open("ab" if have else "wb") as file, bar:
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                have += len(chunk)
                if have > most:
                    break
                file.write(chunk)
                bar.update(len(chunk))
    if have > most:
        part.unlink()
        raise _Useless(f"it sends more than {most:,} bytes")
    if have < (total or 0):
        raise requests.RequestException("the connection was cut")


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
        return _gzip_is_complete(path, GROWTH * archive.ceiling)
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest() == archive.md5


def _gzip_is_complete(path, left):
    """Whether a gzip file can be read to its end, where its checksum is, within `left` bytes."""
    try:
        with gzip.open(path) as file:
            while left >= 0 and (chunk := file.read(2**20)):
                left -= len(chunk)
    except BROKEN:
        return False
    return left >= 0


def unpack(path: Path, archive: Archive, folder: Path) -> Path:
    """Unpack the regular files and folders of a tar archive that the data set consists of.

    Args:
        path: the archive.
        archive: what it must hold.
        folder: where to; it must not exist.

    Returns:
        The folder that `archive.folder` is in.

    Raises:
        InputError: the archive is damaged, lacks the data set, has a link or a device in its place,
            or unpacks to far more than its own size.
    """
    inside = PurePosixPath(archive.top, archive.folder)
    left = GROWTH * path.stat().st_size
    folder.mkdir()
    damaged = explained(f"{path} cannot be unpacked", "delete it and fetch again", BROKEN)
    with damaged, tarfile.open(path) as tar:
        for count, member in enumerate(tar):
            name = PurePosixPath(member.name)
            wanted = name.is_relative_to(inside)
            left -= wanted * abs(member.size)
            if left < 0 or count == MEMBERS:
                raise ValueError("it holds far more than was published")
            if wanted:
                _unpack_member(tar, member, folder, name)
    if not (folder / inside).is_dir():
        raise InputError(f"{path} has no folder {archive.folder}: delete it.")
    return folder / archive.top


def _unpack_member(tar, member, folder, name):
    if ".." in name.parts or "\\" in member.name or ":" in member.name:
        raise ValueError(f"{member.name!r} is outside its folder")
    target = folder / name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
    elif member.isreg():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tar.extractfile(member) as content, target.open("xb") as file:
            shutil.copyfileobj(content, file)
    else:
        raise ValueError(f"{member.name!r} is not a regular file")


def _check_content(name, root, content, path, progress):
    """Raise InputError unless the data set below `root`, unpacked from `path`, is as published."""
    try:
        found = content_digest(name, root, progress)
    except InputError as error:
        raise InputError(
            f"{path} is not as published: delete it and fetch again ({error})"
        ) from error
    if found != content:
        raise InputError(
            f"{path} is not as published (its images and labels have the SHA-256 sum {found}, not "
            f"{content}): delete it and fetch again."
        )


def content_digest(name: str, root: str | os.PathLike | None = None, progress: bool = True) -> str:
    """SHA-256 sum of what a data set holds: names, sizes and pixels of all its splits.

    How the files are compressed does not count.

    Args:
        name, root: as for `load_dataset`.
        progress: whether to show bars.

    Returns:
        The sum, in hex.

    Raises:
        InputError: a file is missing or damaged.
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
