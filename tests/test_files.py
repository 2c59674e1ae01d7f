"""Writing files completely or not at all, and folders that one process holds."""

import json
import os
import stat

import pytest

from fcn_tutorial.files import LARGEST, held, make_folder, read_small, write_text, write_whole

links = pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")


def test_a_file_is_replaced_completely_or_stays(tmp_path, refusal):
    path = tmp_path / "a.txt"
    write_text(path, "first\n")

    def fails(temporary):
        temporary.write_text("half")
        raise ValueError("disk full")

    message = refusal(write_whole, path, fails)
    assert str(path) in message and "disk full" in message
    assert path.read_text() == "first\n"
    with pytest.raises(MemoryError):  # of which another folder would not help
        write_whole(path, lambda temporary: bytes(2**62))
    write_text(path, "second: ü\n")
    assert path.read_text(encoding="utf-8") == "second: ü\n"
    assert os.listdir(tmp_path) == ["a.txt"]


UNREADABLE = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "without end": lambda path: path.symlink_to("/dev/zero"),
    "too large": lambda path: path.write_bytes(b" " * (LARGEST + 1)),
    "not text": lambda path: path.write_bytes(b"\x89PNG\xff"),
    "not JSON": lambda path: path.write_text("{"),
    "brackets": lambda path: path.write_text("[" * 200_000),
}


@links
@pytest.mark.parametrize("kind", UNREADABLE)
def test_only_a_small_regular_text_file_is_read(tmp_path, refusal, kind):
    path = tmp_path / "scores.json"
    UNREADABLE[kind](path)
    message = refusal(read_small, path, json.loads, "restore it")
    assert str(path) in message and message.endswith(": restore it.")


@links
def test_a_link_left_by_someone_else_is_replaced_and_never_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("a.txt", "unfinished-a.txt"):
        (tmp_path / name).symlink_to(victim)
    write_text(tmp_path / "a.txt", "ours")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "a.txt").is_symlink() and (tmp_path / "a.txt").read_text() == "ours"
    (tmp_path / "a.lock").symlink_to(victim)
    with held(tmp_path, "a.lock", "written to"):
        assert victim.read_text() == "precious"


@links
def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "other").touch()
    write_text(tmp_path / "a.txt", "")
    modes = {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("other", "a.txt")}
    assert len(modes) == 1


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, refusal):
    (tmp_path / "file").touch()
    assert "file" in refusal(make_folder, tmp_path / "file" / "below")
    assert "file" in refusal(write_text, tmp_path / "file" / "a.txt", "")
    (tmp_path / "a.lock").mkdir()
    assert "a.lock" in refusal(held(tmp_path, "a.lock", "written to").__enter__)


def test_a_folder_is_held_by_one_and_left_as_it_was(tmp_path, refusal):
    folder = tmp_path / "new" / "runs"
    with held(folder, "a.lock", "written to"):
        message = refusal(held(folder, "a.lock", "written to").__enter__)
        assert str(folder) in message and "another process" in message
    assert not (tmp_path / "new").exists()
    with held(folder, "a.lock", "written to", stays=lambda: True):
        pass
    assert os.listdir(folder) == ["a.lock"]


def test_what_a_killed_process_left_unfinished_is_removed(tmp_path):
    names = f"unfinished-{'0a' * 8}-a.npz", f"part/unfinished-{'1b' * 8}-a.npz"
    kept = "unfinished-thesis.txt", "part/a.npz"
    (tmp_path / "part").mkdir()
    for name in names + kept:
        (tmp_path / name).touch()
    with held(tmp_path, "a.lock", "written to"):
        assert not any((tmp_path / name).exists() for name in names)
    assert all((tmp_path / name).exists() for name in kept)
