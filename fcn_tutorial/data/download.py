"""Fetch published data sets: download, check, unpack; nothing half-finished is taken for whole.

A download goes on where it was cut, tries each mirror in turn, and is checked against the
published size and MD5 sum before anything is unpacked. Archives are unpacked into a folder beside
the data and moved into place as a whole.

CamVid comes from a commit of a repository on GitHub, which packs the archive at each request: it
has neither a size nor a sum that could be published, and after a cut GitHub sends it from its
start. So gzip's own checksum says whether the archive came whole, and what was unpacked is checked
before it is moved into place: every image and label is decoded, and the SHA-256 sum of the names,
sizes and pixels must be that of the published files. That sum is ours, not their authors'.
"""

import gzip
import hashlib
import http.client
import os
import shutil
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from contextlib import suppress

from tqdm import tqdm

from fcn_tutorial.data.catalog import ARCHIVES, load_dataset, splits_of
from fcn_tutorial.data.dataset import data_root
from fcn_tutorial.errors import InputError
from fcn_tutorial.files import held

TRIES = 5  # for each mirror, in a row without getting further
PAUSE = 0.5  # seconds before the next try, doubled after each fruitless one
STALL = 30  # seconds without a byte after which a connection counts as cut
CHUNK = 2**18
GROWTH = 4  # an archive may unpack to at most this many times its own size
CUT = (OSError, http.client.HTTPException)  # URLError, timeouts and resets are OSErrors

BROKEN = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)


def fetch(name, root=None, archives=ARCHIVES, progress=True):
    """Download a data set and unpack it below the data root; returns its folder.

    name: a key of `archives`. root: as for `load_dataset`. A data set that is there already is left
    alone. Raises InputError for an unknown name, when no mirror gives the published file, when the
    archive would write outside its folder or holds something else, when the disk does not take it,
    or while another process downloads it.
    """
    if name not in archives:
        raise InputError(f"cannot fetch {name!r}: use one of {', '.join(sorted(archives))}.")
    archive, root = archives[name], data_root(root)
    target = root / archive.folder
    if target.exists():
        return target
    downloads, unfinished = root / "downloads", root / f"unfinished-{name}"
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        with held(downloads, f"{archive.file}.lock", "downloaded to"):
            path = download(archive, downloads, progress)
            shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
            try:
                unpacked = unpack(path, archive, unfinished)
                if archive.content:
                    _check_content(name, unpacked, archive.content, path, progress)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(unpacked / archive.folder, target)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            path.unlink()
    except OSError as error:
        raise InputError(
            f"{error.filename or root} cannot be written ({error.strerror}): free some space, or "
            "set FCN_DATA to another folder, and fetch again; what was downloaded is kept."
        ) from error
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
    if _is_published(part, archive):  # of a process that was killed before it could say so
        os.replace(part, path)
        return path
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
    fruitless, furthest = 0, _size(part)
    while fruitless < TRIES:
        try:
            ended = _receive(url, archive, part, progress)
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code}"
            if error.code == 416:  # the part is longer than the mirror's file
                part.unlink(missing_ok=True)
                furthest = 0
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
                if _size(part) >= (archive.size or 0):  # a shorter one is of another mirror
                    part.unlink(missing_ok=True)
                return "its file is not the published one (size or checksum)"
            reason = "the connection was cut"
        # A mirror that cannot go on starts over, so that only a longer part than ever is progress.
        fruitless = 0 if _size(part) > furthest else fruitless + 1
        furthest = max(furthest, _size(part))
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
            # read1 gives what has come, so that nothing of it is lost when the connection is cut.
            while chunk := response.read1(CHUNK):
                _write(file, chunk)
                bar.update(len(chunk))
    return _size(part) >= (total or 0)


def _write(file, chunk):
    """Write to a file; an error says which, so that the disk's fault is told from the mirror's."""
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        with suppress(OSError):  # closing tries to write the rest again
            file.close()
        error.filename = file.name
        raise


def _first_byte(response):
    """Where the part that a server sends begins, from `Content-Range: bytes 5-9/10`."""
    digits = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(digits) if digits.isdigit() else None


def _size(path):
    return path.stat().st_size if path.is_file() else 0


def _is_published(path, archive):
    if not path.is_file() or archive.size not in (None, _size(path)):
        return False
    if archive.md5 is None:
        return _gzip_is_whole(path)
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest() == archive.md5


def _gzip_is_whole(path):
    """Whether a gzip file can be read to its end, where its length and checksum stand."""
    try:
        with gzip.open(path) as file:
            while file.read(2**20):
                pass
    except BROKEN:
        return False
    return True


def unpack(path, archive, folder):
    """Unpack what is wanted of a tar archive; returns the folder in which `archive.folder` lies.

    Raises InputError when a member would be written outside, is a link or a device that tarfile's
    filter "data" refuses, or when the archive unpacks to far more than its own size.
    """
    try:
        with tarfile.open(path) as tar:
            inside = f"{archive.top}/{archive.folder}/" if archive.top else ""
            wanted = [member for member in tar if member.name.startswith(inside)]
            total = sum(member.size for member in wanted)
            if total > GROWTH * path.stat().st_size:
                raise InputError(f"{path} would unpack to {total:,} bytes: it is not as published.")
            tar.extractall(folder, wanted, filter="data")
    except BROKEN as error:
        raise InputError(
            f"{path} cannot be unpacked ({error}): delete it and fetch again."
        ) from error
    if not (folder / archive.top / archive.folder).is_dir():
        raise InputError(f"{path} has no folder {archive.folder}: delete it.")
    return folder / archive.top


def _check_content(name, root, content, path, progress):
    """Raise InputError unless the data set below `root`, unpacked from `path`, is as published."""
    try:
        found = content_digest(name, root, progress)
    except InputError as error:
        raise InputError(f"{path} is not as published: delete it, fetch again ({error})") from error
    if found != content:
        raise InputError(
            f"{path} is not as published (its images and labels have the SHA-256 sum {found}, not "
            f"{content}): delete it and fetch again."
        )


def content_digest(name, root=None, progress=True):
    """SHA-256 sum, in hex, of what a data set holds: names, sizes and pixels of all its splits.

    How the files are compressed does not count. Raises InputError, naming the file, when one is
    missing or cannot be read, or when a label is not of its image's size.
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
