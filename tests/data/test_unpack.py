"""Hostile tar archives: nothing outside the folder, nothing but files, no endless headers."""

import gzip
import tarfile
import tracemalloc

import pytest

from fcn_tutorial.data.unpack import unpack

FOLDER = "Toy/data"
ONE = f"{FOLDER}/one.txt"


def entry(name, content=b"", **fields):
    """A member of an archive: its headers, and its content up to a whole block."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512)


def link(name, target, kind=tarfile.SYMTYPE):
    return entry(name, type=kind, linkname=target)


def said(kind, size, content=b"", name="x"):
    """A header that says a size, whatever follows; a negative one in the form of GNU's tar."""
    block = bytearray(entry(name, type=kind))
    digits = b"%011o\0" % size if size >= 0 else b"\xff" + size.to_bytes(11, "big", signed=True)
    block[124:136] = digits
    block[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(block))[0]
    return bytes(block) + content


def archive(path, *members):
    path.write_bytes(gzip.compress(b"".join(members) + bytes(1024), 1))
    return path


SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1"}
HOSTILE = {
    "above": [entry("../outside.txt", b"!")],
    "absolute": [entry(f"/{ONE}", b"one")],
    "deep above": [entry(f"{FOLDER}/../../../outside.txt", b"!")],
    "link outside": [link(f"{FOLDER}/a", "/etc"), entry(f"{FOLDER}/a/outside.txt", b"!")],
    "link inside": [link(f"{FOLDER}/a", "one.txt")],
    "hard link": [link(f"{FOLDER}/a", "../../../outside.txt", tarfile.LNKTYPE)],
    "device": [entry(f"{FOLDER}/null", type=tarfile.CHRTYPE)],
    "pipe": [entry(f"{FOLDER}/pipe", type=tarfile.FIFOTYPE)],
    "twice": [entry(ONE, b"one"), entry(ONE, b"two")],
    "a file as a folder": [entry(ONE, b"one"), entry(f"{ONE}/two.txt", b"two")],
    "a folder as a file": [entry(ONE, type=tarfile.DIRTYPE), entry(ONE, b"one")],
    "drive": [entry(f"{FOLDER}/C:one.txt", b"one")],
    "backslash": [entry(f"{FOLDER}/..\\one.txt", b"one")],
    "NUL": [entry("x", pax_headers={"path": f"{FOLDER}/a\0b"})],
    "deep": [entry(f"{FOLDER}/{'a/' * 900}one.txt", b"one")],
    "bomb": [entry(f"{FOLDER}/zeros", bytes(5_000_000))],
    "other folder": [entry("Other/one.txt", b"one")],
    "more folders than levels": [entry(f"{FOLDER}/{'a/' * 20}b", b"one")],
    "cut off": [said(tarfile.REGTYPE, 5000, b"one", ONE)],
    "negative size": [said(tarfile.REGTYPE, -512, b"", ONE)],
    "negative size elsewhere": [entry("a"), said(tarfile.REGTYPE, -1024, b"", "b")],
    "negative long name": [said(tarfile.GNUTYPE_LONGNAME, -5)],
    "size of 3 GB in a long name": [said(tarfile.GNUTYPE_LONGNAME, 3 * 2**30)],
    "long name": [said(tarfile.GNUTYPE_LONGNAME, 50_000_000, bytes(50_000_000))],
    "long pax header": [said(tarfile.XHDTYPE, 50_000_000, b"9 a=bcd\n" * 6_250_000)],
    "headers of headers": [said(tarfile.GNUTYPE_LONGNAME, 1, bytes(512))] * 5000,
    "sparse": [said(tarfile.GNUTYPE_SPARSE, 0, b"", ONE)],
    "time is not a number": [entry("x", pax_headers={"mtime": "nan", "size": "-1"})],
    "sparse size is text": [entry("x", pax_headers={"GNU.sparse.size": "many"})],
    "endless sparse map": [entry(ONE, b"9" * 15 + b"\n" * 100_000, pax_headers=SPARSE)],
    "nothing": [],
    "not a tar": [b"\x89PNG" * 999],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_writes_nothing_outside_and_takes_no_memory(refusal, tmp_path, kind):
    path, folder = archive(tmp_path / "toy.tgz", *HOSTILE[kind]), tmp_path / "out" / "in"
    folder.mkdir(parents=True)
    victim = folder.parent / "outside.txt"
    victim.write_bytes(b"precious")
    tracemalloc.start()
    assert "toy.tgz" in refusal(unpack, path, FOLDER, "", folder)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()
    assert victim.read_bytes() == b"precious" and set(victim.parent.iterdir()) == {victim, folder}
    assert set(tmp_path.iterdir()) == {path, folder.parent}
    assert not any(each.is_symlink() for each in tmp_path.rglob("*"))


@pytest.mark.parametrize("name", ["toy.tgz", "toy.tar"])
def test_what_is_not_of_the_data_set_is_left_in_the_archive(tmp_path, name):
    members = [
        entry(f"top/{FOLDER}/{'n' * 150}/one.txt", b"one"),
        link("top/elsewhere", "/etc"),
        entry("top/zeros", bytes(5_000_000)),
        entry(f"top/{FOLDER}", type=tarfile.DIRTYPE),
        entry(f"top/{FOLDER}/two.txt", b"two", mtime=1.5),
    ]
    path = archive(tmp_path / name, *members)
    if name == "toy.tar":
        path.write_bytes(gzip.decompress(path.read_bytes()))
    (tmp_path / "out").mkdir()
    inside = unpack(path, FOLDER, "top", tmp_path / "out")
    assert (inside / FOLDER / ("n" * 150) / "one.txt").read_bytes() == b"one"
    assert {each.name for each in tmp_path.rglob("*.txt")} == {"one.txt", "two.txt"}
    assert not (inside / "elsewhere").exists() and not (inside / "zeros").exists()
