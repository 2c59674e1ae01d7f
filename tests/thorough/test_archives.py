"""Servers and archives of every kind: the published files, or one sentence, in bounded time.

`make thorough` draws 10,000 examples for each test.
"""

import gzip
import hashlib
import io
import tarfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server import Server

import fcn_tutorial as fcn
from fcn_tutorial.data import download as module
from fcn_tutorial.data.catalog import Archive
from fcn_tutorial.data.unpack import unpack

pytestmark = pytest.mark.slow

FOLDER = "Toy/data"
LONGEST = 30  # seconds for one example; of the processor where no server is involved
PARTS = st.sampled_from(["Toy", "data", "a", "b", "..", ".", "", "é", "x" * 200, "C:x", "\\"])
NAMES = st.lists(PARTS, max_size=5).map("/".join)
NAMES = NAMES.map(lambda name: f"{FOLDER}/{name}") | NAMES | st.text(max_size=9)
KINDS = st.sampled_from([getattr(tarfile, name) for name in dir(tarfile) if name.endswith("TYPE")])
NUMBERS = st.sampled_from([0, 0, 1, 5, 511, 512, 513, 2**20, 2**33])
SAID = st.sampled_from(["0", "-1", "nan", "inf", "many", "9" * 30, "1e9", "\0", "../../x", ""])
PAX = st.dictionaries(
    st.sampled_from(["path", "linkpath", "size", "mtime", "uid", "hdrcharset", "GNU.sparse.map"])
    | st.sampled_from(["GNU.sparse.size", "GNU.sparse.major", "GNU.sparse.realsize", "comment"]),
    SAID | NAMES,
    max_size=3,
)
MEMBER = st.tuples(NAMES, KINDS, NUMBERS, NAMES, PAX, st.binary(max_size=600))
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=12)), max_size=3)


def tar_of(members, edits):
    """A tar file whose headers may say anything, with some bytes replaced by others."""
    stream = io.BytesIO()
    for name, kind, size, target, said, content in members:
        info = tarfile.TarInfo(name.replace("\0", "?"))
        info.type, info.size, info.linkname, info.pax_headers = kind, size, target, said
        stream.write(info.tobuf(tarfile.PAX_FORMAT, errors="replace"))
        stream.write(content + bytes(-len(content) % 512))
    content = bytearray(stream.getvalue() + bytes(1024))
    for place, other in edits:
        start = int(place * len(content))
        content[start : start + len(other)] = other
    return bytes(content)


@given(members=st.lists(MEMBER, max_size=6), edits=EDITS)
def test_an_archive_of_any_members(tmp_path_factory, members, edits):
    root = tmp_path_factory.mktemp("archive")
    path, folder, start = root / "toy.tgz", root / "a" / "b", time.process_time()
    folder.mkdir(parents=True)
    path.write_bytes(gzip.compress(tar_of(members, edits), 1))
    try:
        unpack(path, FOLDER, "", folder)
    except fcn.InputError as error:
        assert "toy.tgz" in str(error)
    except OSError as error:  # names that no file can have
        assert error.filename
    assert time.process_time() - start < LONGEST
    found = [each for each in root.rglob("*") if each not in (path, folder, root / "a")]
    assert all((folder / "Toy") in (each, *each.parents) for each in found)
    assert all(not each.is_symlink() and (each.is_dir() or each.is_file()) for each in found)


HEADER = st.sampled_from(["Content-Length", "Content-Range", "Location", "Transfer-Encoding"])
HEADER |= st.sampled_from(["Content-Encoding", "Connection", "Retry-After", "Set-Cookie", "X"])
VALUE = st.sampled_from(["0", "-1", "5, 6", "9" * 5000, "chunked", "gzip", "close", "/toy.tgz"])
VALUE |= st.sampled_from(["//", "http://[::1", "http://x:99999999/", "file:///etc/passwd"])
VALUE |= st.sampled_from(["bytes 0-9/10", "bytes */0", "bytes 7-"]) | st.text(max_size=9)
STATUS = st.sampled_from([200, 200, 206, 301, 302, 304, 308, 400, 404, 416, 503, 100, 99, 1000])
BODY = st.sampled_from(["good", "half", "longer", "none", "chunks", "bad chunk"])


GOOD = gzip.compress(tar_of([(f"{FOLDER}/a", tarfile.REGTYPE, 3, "", {}, b"one")], []))
BODIES = {
    "good": GOOD,
    "half": GOOD[:70],
    "longer": GOOD + b"more",
    "none": b"",
    "chunks": b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD),
    "bad chunk": b"-5\r\n" + GOOD,
}


def answer(status, headers, body):
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{key}: {value}" for key, value in headers)]
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + BODIES[body]


ANSWER = st.builds(answer, STATUS, st.lists(st.tuples(HEADER, VALUE), max_size=3), BODY)


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAUSE", 0)
        patch.setattr(module, "STALL", 2)
        patch.setattr(module, "TRIES", 2)
        yield Server(GOOD)


@given(
    answers=st.lists(ANSWER | st.binary(max_size=50), min_size=1, max_size=3), sized=st.booleans()
)
def test_a_server_that_says_anything(tmp_path_factory, server, answers, sized):
    root, start = tmp_path_factory.mktemp("server"), time.monotonic()
    server.faults = [*answers, *answers[-1:] * 99]
    size, digest = len(GOOD) if sized else None, hashlib.md5(GOOD).hexdigest()
    archive = Archive("toy.tgz", (server.url,), FOLDER, size, digest)
    try:
        folder = module.fetch("toy", root, {"toy": archive}, progress=False)
    except fcn.InputError as error:
        assert server.url in str(error) and not (root / FOLDER).exists()
    else:
        assert (folder / "a").read_bytes() == b"one"
    assert time.monotonic() - start < LONGEST


def test_a_hundred_thousand_empty_members_are_refused_in_seconds(tmp_path, refusal):
    path, start = tmp_path / "toy.tgz", time.process_time()
    with gzip.open(path, "wb", 1) as file:
        for _ in range(100):
            file.write(tarfile.TarInfo("x").tobuf() * 1000)
    assert "it holds far more than" in refusal(unpack, path, FOLDER, "", tmp_path / "out")
    assert time.process_time() - start < LONGEST
