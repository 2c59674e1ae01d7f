"""Archives of every kind: files inside the folder, or one sentence, in bounded time."""

import gzip
import io
import tarfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fcn_tutorial as fcn
from fcn_tutorial.data.unpack import unpack

pytestmark = pytest.mark.slow

FOLDER = "Toy/data"
LONGEST = 30  # seconds of the processor for one example
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


def test_a_million_empty_members_are_refused_in_seconds(tmp_path, refusal):
    path, start = tmp_path / "toy.tgz", time.process_time()
    with gzip.open(path, "wb", 1) as file:
        for _ in range(1200):
            file.write(tarfile.TarInfo("x").tobuf() * 1000)
    assert "toy.tgz" in refusal(unpack, path, FOLDER, "", tmp_path / "out")
    assert time.process_time() - start < LONGEST
