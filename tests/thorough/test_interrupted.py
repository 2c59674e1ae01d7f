"""Kills, full disks, two at once: nothing that was kept is lost, and the next try ends as usual.

`make thorough` kills more trainings.
"""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import h5py
import pytest
import quick
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import fcn_tutorial as fcn
from fcn_tutorial.data.camvid import CamVid

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
pytestmark = [pytest.mark.slow, linux]
QUICK = replace(quick.QUICK, flip=True, color=0.1, ema_momentum=0.5)
LAST = "checkpoints/last.weights.h5"


def files_of(folder):
    """{name: bytes} of what a folder keeps; TensorBoard writes at any moment."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    kept = {name: path for name, path in paths.items() if "tensorboard" not in name}
    return {name: path.read_bytes() for name, path in kept.items() if path.is_file()}


def arrays_of(folder):
    """What a run ends with: weights and optimizer, and the weights of the best model."""
    arrays, named = dict(enumerate(fcn.load_run(folder).model.get_weights())), []
    with h5py.File(folder / LAST) as file:
        file.visititems(lambda *each: named.append(each))
        return arrays | {name: item[()] for name, item in named if hasattr(item, "shape")}


def assert_same_runs(one, other):
    ours, theirs = arrays_of(one), arrays_of(other)
    assert len(ours) > 50 and ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name].tobytes() != theirs[name].tobytes()] == []
    assert (one / "history.csv").read_text() == (other / "history.csv").read_text()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that nothing has disturbed."""
    return fcn.train(QUICK, tmp_path_factory.mktemp("alone") / "run", verbose=0).folder


def test_a_second_training_in_a_folder_is_refused_and_disturbs_nothing(run, tmp_path, refusal):
    folder, seen = tmp_path / "run", []

    def train_again(model):
        before = files_of(folder)
        seen.append(refusal(fcn.train, QUICK, folder, verbose=0))
        assert files_of(folder) == before and LAST in before

    with quick.in_the_second_epoch(train_again):
        fcn.train(QUICK, folder, verbose=0)
    assert len(seen) == 1 and str(folder) in seen[0]
    assert_same_runs(folder, run)
    assert fcn.train(QUICK, folder, verbose=0).folder == folder


def test_a_full_disk_stops_training_and_the_next_try_ends_as_if_it_had_not(
    run, tmp_path, refusal, small_files
):
    folder, kept, full = tmp_path / "run", {}, small_files(20_000)

    def fill(model):
        kept.update(files_of(folder))
        full.__enter__()

    with quick.in_the_second_epoch(fill):
        message = refusal(fcn.train, QUICK, folder, verbose=0)
    full.__exit__(None, None, None)
    assert "File too large" in message and str(folder) in message
    now = files_of(folder)
    assert now.keys() == kept.keys() and now[LAST] == kept[LAST]
    fcn.train(QUICK, folder, verbose=0)
    assert_same_runs(folder, run)


# Kills itself at the n-th file that takes its name: half-written, or some seconds later.
KILLED = """
import os, signal, sys
import fcn_tutorial as fcn
recipe, folder, number, pause = sys.argv[1:]
replace, left = os.replace, [int(number)]
def replaced(source, target, **options):
    left[0] -= 1
    if left[0] == 0 and pause == "None":
        os.truncate(source, os.path.getsize(source) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    if left[0] == 0:
        signal.setitimer(signal.ITIMER_REAL, float(pause) + 1e-6)
    replace(source, target, **options)
os.replace = replaced
fcn.train(recipe, folder, verbose=0)
"""
# The first one, often the only one, is killed in its second epoch.
SOME = settings(max_examples=max(1, settings.default.max_examples // 1000), phases=[Phase.generate])


@SOME
@given(number=st.sampled_from(range(9, 0, -1)), pause=st.none() | st.floats(0, 1))
def test_a_killed_training_is_resumed_to_the_same_weights(run, tmp_path_factory, number, pause):
    folder = tmp_path_factory.mktemp("killed")
    QUICK.save(folder / "quick.toml")
    arguments = [folder / "quick.toml", folder / "run", str(number), str(pause)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True)
    expected = {-signal.SIGKILL} if pause is None else {-signal.SIGALRM, 0}
    assert killed.returncode in expected, killed.stderr.decode()
    fcn.train(QUICK, folder / "run", verbose=0)
    assert_same_runs(folder / "run", run)
    assert not list((folder / "run").rglob("*unfinished*"))
    shutil.rmtree(folder)


def test_records_are_not_written_by_two_at_once(camvid_root, tmp_path, monkeypatch, command_line):
    arguments = ("data", "records", "camvid", "--root", camvid_root, "--output", tmp_path / "out")
    read, answers = CamVid.__getitem__, []

    def read_and_write_again(dataset, index):
        if not answers:
            answers.append(None)
            answers.append(command_line(*arguments))
        return read(dataset, index)

    monkeypatch.setattr(CamVid, "__getitem__", read_and_write_again)
    assert command_line(*arguments, "--shards", 1)[0] == 0
    assert answers[1][0] == 2 and str(tmp_path / "out") in answers[1][2]
