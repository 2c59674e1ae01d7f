"""Fetching from a local server that cuts, stalls, lies, and serves hostile archives."""

import hashlib
import io
import os
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from published import needs
from server import Server

import fcn_tutorial as fcn
from fcn_tutorial.data import download as module
from fcn_tutorial.data.catalog import ARCHIVES, Archive
from fcn_tutorial.data.download import content_digest, fetch

FOLDER = "Toy/data"


def tar_of(members):
    """A tar archive as bytes, from {name: bytes}."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


NOISE = np.random.default_rng(0).bytes(300_000)
GOOD = tar_of({f"{FOLDER}/one.txt": b"one", f"{FOLDER}/noise.bin": NOISE})
SIZE = len(GOOD)


@pytest.fixture
def serve(monkeypatch):
    """Start servers; each is stopped at the end."""
    monkeypatch.setattr(module, "PAUSE", 0.001)
    monkeypatch.setattr(module, "STALL", 0.6)
    servers = []

    def start(content=GOOD, faults=(), **kind):
        servers.append(Server(content, faults, **kind))
        return servers[-1]

    yield start
    for server in servers:
        server.release.set()
        server.shutdown()
        server.server_close()


def archives_at(*servers, size=SIZE):
    urls = tuple(server.url for server in servers)
    return {"toy": Archive("toy.tgz", urls, FOLDER, size, hashlib.md5(GOOD).hexdigest())}


def get(root, *servers, **options):
    """Fetch the toy from the first of the servers that has it."""
    return fetch("toy", root, archives_at(*servers, **options), progress=False)


def files_of(folder):
    """The files below a folder, as {path: bytes}."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def is_whole(folder):
    return files_of(folder) == {"one.txt": b"one", "noise.bin": NOISE}


@pytest.mark.parametrize("size", [SIZE, None])
@pytest.mark.parametrize(
    "faults", [["cuts", "cuts"], ["cuts", "ignores ranges"], ["cuts", 500, "stalls"]], ids=str
)
def test_fetches_over_a_connection_that_cuts_stalls_and_fails(serve, tmp_path, faults, size):
    server = serve(faults=faults)
    folder = get(tmp_path, server, size=size)
    assert folder == tmp_path / FOLDER and is_whole(folder)
    assert len(files_of(tmp_path)) == 2


def test_an_end_before_the_published_size_is_a_cut_and_what_is_there_is_left_alone(serve, tmp_path):
    server = serve(faults=["cuts"], framing="nothing")
    for _ in range(2):
        assert is_whole(get(tmp_path, server))
        assert len(server.ranges) == 2


def part_of(root, content):
    """Leave a part of a download, as a program that was interrupted does."""
    (root / "downloads").mkdir(parents=True)
    (root / "downloads" / "toy.tgz.part").write_bytes(content)


@pytest.mark.parametrize(("part", "ranges"), [(GOOD[:1000], ["bytes=1000-"]), (GOOD, [])])
def test_the_part_of_an_interrupted_program_is_completed(serve, tmp_path, part, ranges):
    part_of(tmp_path, part)
    server = serve()
    assert is_whole(get(tmp_path, server))
    assert server.ranges == ranges


def test_a_mirror_with_another_file_leaves_the_part_of_the_others(serve, refusal, tmp_path):
    slow, other = serve(faults=["cuts", *[503] * 99]), serve(b"something else")
    message = refusal(get, tmp_path, slow, other)
    assert f"{slow.url}: HTTP 503" in message and f"{other.url}: its file is not" in message
    part = (tmp_path / "downloads" / "toy.tgz.part").read_bytes()
    assert part and GOOD.startswith(part)


# What a server may say in place of the file.
ODD = {
    "no file": 404,
    "shorter": "says less",
    "longer": "says more",
    "length is text": (200, {"Content-Length": "many"}),
    "length is negative": (200, {"Content-Length": "-5"}),
    "two lengths": (200, {"Content-Length": "5, 6"}),
    "length beyond any file": (200, {"Content-Length": "9" * 5000}),
    "another range": (206, {"Content-Range": "bytes 7-9/10"}),
    "range is text": (206, {"Content-Range": "all of it"}),
    "redirects nowhere": (302, {"Location": "http://"}),
    "redirects to a file": (302, {"Location": "file:///etc/passwd"}),
    "redirects to no host": (302, {"Location": "http://[::1"}),
    "redirects to itself": (302, {"Location": "/toy.tgz"}),
    "waits for years": (503, {"Retry-After": "99999999"}),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_server_is_left_for_the_next_mirror_or_named(serve, refusal, tmp_path, kind):
    odd = serve(GOOD[:-1] + b"?", faults=[ODD[kind]] * 50)
    assert is_whole(get(tmp_path / "both", odd, serve()))
    message = refusal(get, tmp_path / "odd", odd)
    assert odd.url in message and not (tmp_path / "odd" / FOLDER).exists()


@pytest.mark.slow
def test_a_server_that_drips_is_tried_again_and_then_left(serve, tmp_path):
    slow = serve(faults=["drips"] * 50)
    assert is_whole(get(tmp_path, slow, serve()))
    assert len(slow.ranges) == module.TRIES


@pytest.mark.parametrize("framing", ["length", "chunks", "nothing"])
def test_no_more_is_downloaded_than_the_ceiling_allows(serve, refusal, tmp_path, framing):
    server = serve(framing=framing)
    toy = replace(archives_at(server, size=None)["toy"], ceiling=50_000)
    assert server.url in refusal(fetch, "toy", tmp_path, {"toy": toy}, progress=False)
    assert files_of(tmp_path) == {}


def test_a_part_that_is_longer_than_the_file_is_dropped(serve, tmp_path):
    part_of(tmp_path, GOOD + b"more")
    server = serve(faults=[416, *["cuts"] * (module.TRIES + 2)])
    assert is_whole(get(tmp_path, server))


def test_an_unknown_name_and_a_folder_that_cannot_be_written_are_refused(refusal, serve, tmp_path):
    assert "voc2012" in refusal(fetch, "voc2013", tmp_path)
    (tmp_path / "file").write_text("")
    assert "file" in refusal(get, tmp_path / "file", serve())


def test_a_mirror_that_starts_over_and_is_cut_each_time_is_given_up(serve, refusal, tmp_path):
    server = serve(faults=["cuts early", "cuts"] * 50, resumes=False)
    refusal(get, tmp_path, server)
    assert len(server.ranges) <= module.TRIES + 2  # the first two tries got further than ever


TOP = "Tutorial-fcaf7c4"
# How a server may send an archive, and what may go wrong meanwhile. Where it says no length, a cut
# cannot be told from the end: that is tested apart.
WAYS = [
    ("chunks", False, ["stalls"]),
    ("chunks", False, [503, "cuts", "cuts"]),
    ("length", True, [503, "cuts", "cuts"]),
    ("nothing", True, ["stalls"]),
]


@pytest.fixture
def published(camvid_root):
    """The files of a small CamVid."""
    return files_of(camvid_root / "CamVid")


@pytest.fixture
def camvid_at(camvid_root, serve):
    """Serve files of CamVid in a repository's archive as GitHub does: server and archives."""
    content = content_digest("camvid", camvid_root, progress=False)

    def start(files, framing="chunks", resumes=False, faults=()):
        members = {f"{TOP}/CamVid/{name}": data for name, data in files.items()}
        members |= {f"{TOP}/README.md": b"a tutorial", "CamVid/train.txt": b"elsewhere"}
        members[f"{TOP}/CamVid.weights"] = bytes(2_000_000)  # too much for so small an archive
        server = serve(tar_of(members), faults, framing=framing, resumes=resumes)
        archive = Archive("tutorial.tar.gz", (server.url,), "CamVid", top=TOP, content=content)
        return server, {"camvid": archive}

    return start


@pytest.mark.parametrize(("framing", "resumes", "faults"), WAYS)
def test_camvid_comes_out_of_the_archive_of_a_commit(
    camvid_at, published, tmp_path, framing, resumes, faults
):
    _, archives = camvid_at(published, framing, resumes, faults)
    root = tmp_path / "root"
    assert fetch("camvid", root, archives, progress=False) == root / "CamVid"
    assert files_of(root) == {f"CamVid/{name}": data for name, data in published.items()}
    assert len(fcn.load_dataset("camvid", "train", root)) == 6


def test_an_archive_that_ends_too_soon_is_never_used(camvid_at, published, refusal, tmp_path):
    root = tmp_path / "root"
    _, archives = camvid_at(published, "nothing", faults=["cuts"])
    message = refusal(fetch, "camvid", root, archives, False)
    assert "its file is not the published one" in message
    assert files_of(root) == {}
    fetch("camvid", root, archives, progress=False)  # and the next try is not hampered


def test_the_parts_of_two_different_archives_do_not_make_one(camvid_at, published, tmp_path):
    """GitHub may pack the same files into other bytes the next day."""
    root = tmp_path / "root"
    server, archives = camvid_at(published, "length", resumes=True)
    again = replace(archives["camvid"], urls=(server.url, server.url))
    (root / "downloads").mkdir(parents=True)
    other = bytes(len(server.content) // 2)
    (root / "downloads" / "tutorial.tar.gz.part").write_bytes(other)
    assert fetch("camvid", root, {"camvid": again}, progress=False).is_dir()
    assert server.ranges == [f"bytes={len(other)}-", None]


def redrawn(content, change=1, **options):
    """The PNG in other bytes, one pixel `change` more than before; it is as valid."""
    pixels = np.array(Image.open(io.BytesIO(content)))
    pixels.flat[7] = (int(pixels.flat[7]) + change) % 12
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return stream.getvalue()


def test_camvid_is_known_by_its_pixels_not_by_its_bytes(camvid_at, published, tmp_path):
    label = "valannot/val1.png"
    repacked = redrawn(published[label], 0, compress_level=0)
    assert repacked != published[label]
    _, archives = camvid_at(published | {label: repacked})
    assert fetch("camvid", tmp_path / "root", archives, progress=False).is_dir()


ALTERED = {
    "one pixel of an image": lambda f: {"train/train3.png": redrawn(f["train/train3.png"])},
    "one id of a label": lambda f: {"valannot/val1.png": redrawn(f["valannot/val1.png"])},
    "a shorter list": lambda f: {"val.txt": b"".join(f["val.txt"].splitlines(True)[:-1])},
    "no list": lambda f: {"val.txt": None},
    "an image gone": lambda f: {"test/test2.png": None},
    "no image": lambda f: {"test/test2.png": b"version https://git-lfs.github.com/spec/v1"},
}


@pytest.mark.parametrize("change", ALTERED)
def test_what_is_not_as_published_is_not_put_in_place(
    camvid_at, published, refusal, tmp_path, change
):
    changed = published | ALTERED[change](published)
    _, archives = camvid_at({name: data for name, data in changed.items() if data is not None})
    root = tmp_path / "root"
    message = refusal(fetch, "camvid", root, archives, False)
    assert "tutorial.tar.gz is not as published" in message and "delete it" in message
    assert list(files_of(root)) == ["downloads/tutorial.tar.gz"]
    assert os.listdir(root) == ["downloads"]


def test_a_full_disk_stops_a_download_and_the_next_try_resumes_it(
    serve, tmp_path, refusal, small_files
):
    server = serve()
    with small_files(100_000):
        message = refusal(get, tmp_path, server)
    assert "File too large" in message and str(tmp_path) in message
    assert is_whole(get(tmp_path, server))
    assert server.ranges[-1].startswith("bytes=")


def test_what_a_killed_fetch_had_unpacked_is_removed_and_not_downloaded_again(serve, tmp_path):
    downloads, server = tmp_path / "downloads", serve()
    (downloads / "unfinished-toy-x" / FOLDER).mkdir(parents=True)
    (downloads / "unfinished-toy-x" / FOLDER / "one.txt").write_bytes(b"on")
    (downloads / "toy.tgz").write_bytes(GOOD)
    assert is_whole(get(tmp_path, server))
    assert len(files_of(tmp_path)) == 2 and server.ranges == []


@pytest.mark.slow
@needs("CamVid")
def test_published_camvid_has_the_content_that_fetch_expects():
    assert content_digest("camvid", progress=False) == ARCHIVES["camvid"].content


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
@pytest.mark.parametrize("kind", ["file", "folder", "pipe"])
def test_nothing_in_the_place_of_a_download_is_followed(serve, tmp_path, kind):
    downloads, victim = tmp_path / "root" / "downloads", tmp_path / "victim"
    downloads.mkdir(parents=True)
    victim.mkdir()
    (victim / "a").write_bytes(b"precious")
    if kind == "pipe":
        os.mkfifo(downloads / "toy.tgz.part")  # which reading or writing would wait for
    elif kind == "file":
        for name in ("toy.tgz.part", "toy.tgz.lock"):
            (downloads / name).symlink_to(victim / "a")
    else:
        (downloads / "unfinished-toy-x").symlink_to(victim)
    assert is_whole(get(tmp_path / "root", serve()))
    assert (victim / "a").read_bytes() == b"precious" and os.listdir(victim) == ["a"]
