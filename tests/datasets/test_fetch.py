"""Fetching from a local server that cuts, stalls, lies, and serves hostile archives."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from fcn_tutorial.datasets import fetch as module
from fcn_tutorial.datasets.fetch import Archive, fetch

FOLDER = "Toy/data"


def tar_of(members):
    """A tar archive as bytes: {name: bytes, or a TarInfo that says something else}."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


NOISE = np.random.default_rng(0).bytes(300_000)
GOOD = tar_of({f"{FOLDER}/one.txt": b"one", f"{FOLDER}/noise.bin": NOISE})


class Server(ThreadingHTTPServer):
    """Serves `content`; `faults` holds, for each coming request, how to fail (None: do not)."""

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.faults, self.ranges = content, [], []
        self.release = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/toy.tgz"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        fault = server.faults.pop(0) if server.faults else None
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if isinstance(fault, int):
            self.send_error(fault)
            return
        start = int(wanted[len("bytes=") : -1]) if wanted and fault != "ignores ranges" else 0
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{end + 1}")
        lies = {"says less": -1000, "says more": 1000}
        self.send_header("Content-Length", str(len(body) + lies.get(fault, 0)))
        self.end_headers()
        if fault in ("cuts", "stalls"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "stalls":
                server.release.wait(10)
            return
        self.wfile.write(body)


@pytest.fixture
def serve(monkeypatch):
    """Start servers; each is stopped at the end."""
    monkeypatch.setattr(module, "PAUSE", 0.001)
    monkeypatch.setattr(module, "STALL", 0.3)
    servers = []

    def start(content=GOOD, faults=()):
        server = Server(content)
        server.faults = list(faults)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.release.set()
        server.shutdown()
        server.server_close()


def archives_at(*servers, content=GOOD, size=True):
    return {
        "toy": Archive(
            file="toy.tgz",
            urls=tuple(server.url for server in servers),
            size=len(content) if size else None,
            md5=hashlib.md5(content).hexdigest(),
            folder=FOLDER,
        )
    }


def is_whole(folder):
    return (folder / "one.txt").read_text() == "one" and (
        folder / "noise.bin"
    ).read_bytes() == NOISE


def leftovers(root):
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [True, False])
@pytest.mark.parametrize(
    "faults",
    [
        [],
        ["cuts"],
        ["cuts", "cuts", "cuts"],
        ["stalls"],
        ["cuts", "ignores ranges"],
        [500, 503, None],
        ["cuts", 500, "stalls"],
    ],
    ids=str,
)
def test_fetches_over_a_connection_that_cuts_stalls_and_fails(serve, tmp_path, faults, size):
    server = serve(faults=faults)
    folder = fetch("toy", tmp_path, archives_at(server, size=size), progress=False)
    assert folder == tmp_path / FOLDER and is_whole(folder)
    assert leftovers(tmp_path) == ["noise.bin", "one.txt"]


def test_goes_on_where_the_connection_was_cut(serve, tmp_path):
    server = serve(faults=["cuts"])
    fetch("toy", tmp_path, archives_at(server), progress=False)
    assert server.ranges[0] is None
    assert server.ranges[1] == f"bytes={len(GOOD) // 2}-"


def test_goes_on_with_the_part_of_an_interrupted_program(serve, tmp_path):
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "toy.tgz.part").write_bytes(GOOD[:1000])
    server = serve()
    assert is_whole(fetch("toy", tmp_path, archives_at(server), progress=False))
    assert server.ranges == ["bytes=1000-"]


@pytest.mark.parametrize("fault", ["says less", "says more", 404])
def test_takes_the_next_mirror_when_the_first_lies_or_lacks_the_file(serve, tmp_path, fault):
    liar, honest = serve(faults=[fault] * 20), serve()
    assert is_whole(fetch("toy", tmp_path, archives_at(liar, honest), progress=False))


def test_takes_the_next_mirror_when_the_first_has_another_file(serve, tmp_path):
    other = serve(GOOD[:-1] + bytes([GOOD[-1] ^ 1]))
    assert is_whole(fetch("toy", tmp_path, archives_at(other, serve()), progress=False))


def test_a_part_that_is_longer_than_the_file_is_dropped(serve, tmp_path):
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "toy.tgz.part").write_bytes(GOOD + b"more")
    server = serve(faults=[416])
    assert is_whole(fetch("toy", tmp_path, archives_at(server), progress=False))


def test_names_every_mirror_when_none_gives_the_file(serve, refusal, tmp_path):
    first, second = serve(faults=[404]), serve(b"something else")
    message = refusal(fetch, "toy", tmp_path, archives_at(first, second), False)
    assert f"{first.url}: HTTP 404" in message and f"{second.url}: its file is not" in message
    assert not (tmp_path / FOLDER).exists()


def test_a_mirror_that_never_answers_is_given_up(serve, refusal, tmp_path):
    server = serve(faults=[503] * 100)
    assert "HTTP 503" in refusal(fetch, "toy", tmp_path, archives_at(server), False)
    assert len(server.ranges) == module.TRIES


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def device(name):
    info = tarfile.TarInfo(name)
    info.type = tarfile.CHRTYPE
    return info


HOSTILE = {
    "above": {"../outside.txt": b"!"},
    "deep above": {f"{FOLDER}/../../../outside.txt": b"!"},
    "link outside": {f"{FOLDER}/a": link(f"{FOLDER}/a", "/etc"), f"{FOLDER}/a/outside.txt": b"!"},
    "hard link": {f"{FOLDER}/a": link(f"{FOLDER}/a", "../../../outside.txt", tarfile.LNKTYPE)},
    "device": {f"{FOLDER}/null": device(f"{FOLDER}/null")},
    "bomb": {f"{FOLDER}/zeros": bytes(5_000_000)},
    "other folder": {"Other/one.txt": b"one"},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_writes_nothing(serve, refusal, tmp_path, kind):
    content = tar_of(HOSTILE[kind])
    root = tmp_path / "root"
    refusal(fetch, "toy", root, archives_at(serve(content), content=content), False)
    assert leftovers(tmp_path) == ["toy.tgz"]
    assert not (root / FOLDER).exists()


def test_an_absolute_name_stays_inside(serve, tmp_path):
    content = tar_of({f"/{FOLDER}/one.txt": b"one", f"/{FOLDER}/noise.bin": NOISE})
    root = tmp_path / "root"
    folder = fetch("toy", root, archives_at(serve(content), content=content), progress=False)
    assert is_whole(folder)


def test_a_damaged_archive_is_refused(serve, refusal, tmp_path):
    content = GOOD[: len(GOOD) // 2]
    message = refusal(
        fetch, "toy", tmp_path, archives_at(serve(content), content=content), progress=False
    )
    assert "toy.tgz" in message
    assert not (tmp_path / FOLDER).exists()


def test_what_is_there_is_left_alone(serve, tmp_path):
    (tmp_path / FOLDER).mkdir(parents=True)
    server = serve()
    assert fetch("toy", tmp_path, archives_at(server), progress=False) == tmp_path / FOLDER
    assert server.ranges == []


def test_an_unknown_name_and_a_folder_that_cannot_be_written_are_refused(refusal, serve, tmp_path):
    assert "voc2012" in refusal(fetch, "voc2013", tmp_path)
    (tmp_path / "file").write_text("")
    archives = archives_at(serve())
    assert "file" in refusal(fetch, "toy", tmp_path / "file", archives, False)
