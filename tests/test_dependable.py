"""Full disks, kills, two trainings at once, hostile files: nothing breaks, and what was kept holds.

The long versions are benchmarks/kills.py and benchmarks/fuzz.py; their record is checked here, too.
"""

import hashlib
import http.server
import io
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial import callbacks, runs
from fcn_tutorial.data.dataset import limited
from fcn_tutorial.data.download import ARCHIVES, Archive, fetch
from fcn_tutorial.data.pipeline import batches, names_in_batch
from fcn_tutorial.data.records import open_records, write_records
from fcn_tutorial.files import held
from fcn_tutorial.runs import RESULTS

QUICK = fcn.Recipe(
    dataset="shapes",
    variant="fcn32s",
    backbone="vgg_narrow",
    weights="none",
    limit=4,
    crop_size=32,
    batch_size=2,
    epochs=2,
    flip=True,
    color=0.1,
)
COMMAND = [sys.executable, "-c", "from fcn_tutorial.cli import main; main()"]
LAST = "checkpoints/last.weights.h5"
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def call(command_line):
    """Run a command in this process; returns its exit code, what it printed and its complaint."""

    def run(*arguments):
        code, out, err = command_line(*arguments)
        said = [line for line in err.splitlines() if line.startswith("fcn-tutorial: ")]
        assert len(said) == (code in (2, 130))
        return code, out, "".join(said)

    return run


def files_of(folder):
    """{name: bytes} of what a run keeps; TensorBoard's file is written at any moment."""
    found = (path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
    return {name: content for name, content in files.items() if "tensorboard" not in name}


def arrays_of(folder):
    """Every array that a run ends with: weights, optimizer and the weights of the best model."""
    arrays = {}
    with zipfile.ZipFile(folder / "checkpoints" / "best.keras") as archive:
        best = io.BytesIO(archive.read("model.weights.h5"))
    for kind, source in (("last", folder / LAST), ("best", best)):
        with h5py.File(source) as file:
            file.visititems(
                lambda name, item, kind=kind: (
                    arrays.update({f"{kind}/{name}": item[()]})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
    return arrays


def assert_same_runs(one, other):
    ours, theirs = arrays_of(one), arrays_of(other)
    assert len(ours) > 50 and ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name].tobytes() == theirs[name].tobytes(), name
    assert (one / "history.csv").read_text() == (other / "history.csv").read_text()


@contextmanager
def at_evaluation(number, deed):
    """Do something when training comes to its `number`-th validation."""
    evaluate, calls = callbacks.evaluate, []

    def noticed(*args, **kwargs):
        calls.append(args)
        if len(calls) == number:
            deed()
        return evaluate(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "evaluate", noticed)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    return fcn.train(QUICK, folder, verbose=0).folder


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    """The same run, with a second process that wants to train in its folder; what that one said."""
    folder = tmp_path_factory.mktemp("twice") / "run"
    recipe = folder.parent / "quick.toml"
    QUICK.save(recipe)
    seen = []

    def start_another():
        before = files_of(folder)
        command = [*COMMAND, "train", recipe, "--output", folder]
        answer = subprocess.run(command, capture_output=True, text=True)
        seen.extend([answer, before, files_of(folder)])

    with at_evaluation(2, start_another):
        fcn.train(QUICK, folder, verbose=0)
    return folder, *seen


def test_a_second_training_in_a_folder_is_refused_and_changes_nothing(disturbed):
    folder, answer, before, after = disturbed
    assert answer.returncode == 2 and "Traceback" not in answer.stderr
    said = [line for line in answer.stderr.splitlines() if line.startswith("fcn-tutorial: ")]
    assert said == [
        f"fcn-tutorial: {folder} is being trained in by another process: wait until it ends, or "
        "choose another folder."
    ]
    assert before == after and LAST in before


def test_the_same_seed_gives_the_same_weights_bit_by_bit(run, disturbed):
    assert_same_runs(run, disturbed[0])


def test_a_folder_is_free_again_when_a_training_has_ended(run):
    assert (run / runs.LOCK).exists()
    assert fcn.train(QUICK, run, verbose=0).folder == run


@contextmanager
def small_files(folder, room):
    """Within it, this process can write no file of more than `room` bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def full_disk(folder, room):
    """Within it, the disk on which the folder lies has `room` bytes left."""
    filler, free = folder / "filler", shutil.disk_usage(folder).free
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - room))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def small_disk(folder):
    """A disk of 16 MB in a folder; None where this process may not mount one."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


SMALL_FILES, FULL_DISK = "File too large", "No space left on device"


@pytest.fixture(params=[SMALL_FILES, FULL_DISK])
def scarce(request, tmp_path):
    """A folder, a context within which hardly anything can be written to it, and what it says."""
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    if request.param == SMALL_FILES:
        yield tmp_path, small_files, SMALL_FILES
        return
    with small_disk(tmp_path) as disk:
        if disk is None:
            pytest.skip("needs the right to mount a small disk")
        yield disk, full_disk, FULL_DISK


@pytest.fixture
def scarce_or_full(tmp_path):
    """As `scarce`, once: a full disk where one can be mounted, else small files."""
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    with small_disk(tmp_path) as disk:
        yield (disk, full_disk, FULL_DISK) if disk else (tmp_path, small_files, SMALL_FILES)


def test_a_full_disk_stops_training_and_the_next_try_ends_as_if_nothing_had_been(
    run, scarce_or_full, refusal
):
    disk, full, reason = scarce_or_full
    folder, kept = disk / "run", {}
    stack = full(disk, 20_000)

    def fill():
        kept.update(files_of(folder))
        stack.__enter__()

    with at_evaluation(2, fill):
        message = refusal(fcn.train, QUICK, folder, verbose=0)
    stack.__exit__(None, None, None)
    assert f"cannot be written ({reason}): make room" in message and str(folder) in message
    now = files_of(folder)
    assert LAST in kept and "checkpoints/best.keras" in kept
    assert [name for name in now if "unfinished" in name] == []
    assert {name: now[name] for name in kept if name != "history.csv"} == {
        name: content for name, content in kept.items() if name != "history.csv"
    }
    fcn.load_run(folder)
    fcn.train(QUICK, folder, verbose=0)
    assert_same_runs(folder, run)


def shapes():
    return fcn.load_dataset("shapes", "val", count=6, size=64)


def test_a_full_disk_stops_records_and_the_next_try_goes_on(scarce, tmp_path_factory, refusal):
    disk, full, reason = scarce
    alone = write_records(shapes(), tmp_path_factory.mktemp("alone"), 3)
    sizes = [shard.stat().st_size for shard in alone.shards]
    folder = disk / "records"
    write_records(shapes(), folder, 3)
    for name in ("index.json", alone.shards[1].name, alone.shards[2].name):
        (folder / name).unlink()
    with full(disk, min(sizes) // 2):
        message = refusal(write_records, shapes(), folder, 3)
    assert f"{alone.shards[1].name} cannot be written ({reason}): make room" in message
    assert [path.name for path in folder.iterdir()] == [alone.shards[0].name]
    write_records(shapes(), folder, 3)
    assert files_of(folder) == files_of(alone.shards[0].parent)


def test_a_full_disk_stops_a_download_and_the_next_try_goes_on(scarce, server, refusal):
    disk, full, reason = scarce
    with full(disk, 200_000):
        message = refusal(fetch, "toy", disk, server.archives, progress=False)
    assert "cannot be written" in message and reason in message
    assert "free the disk" in message and "what is downloaded is kept" in message
    part = disk / "downloads" / "toy.tgz.part"
    have = part.stat().st_size
    assert 0 < have <= 200_000 and part.read_bytes() == server.content[:have]
    folder = fetch("toy", disk, server.archives, progress=False)
    assert server.ranges == [None, f"bytes={have}-"]
    assert (folder / "noise").read_bytes() == NOISE


NOISE = np.random.default_rng(0).bytes(500_000)


@pytest.fixture
def server():
    """A server with one archive, that can go on in its middle; `ranges` is what it was asked."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo("CamVid/noise")
        info.size = len(NOISE)
        tar.addfile(info, io.BytesIO(NOISE))

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            wanted = self.headers.get("Range")
            self.server.ranges.append(wanted)
            start = int(wanted[len("bytes=") : -1]) if wanted else 0
            body = self.server.content[start:]
            self.send_response(206 if wanted else 200)
            end = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        serving.content, serving.ranges = stream.getvalue(), []
        serving.handle_error = lambda *args: None  # the other side hangs up where its disk is full
        url = f"http://127.0.0.1:{serving.server_port}/toy.tgz"
        md5 = hashlib.md5(serving.content).hexdigest()
        serving.archives = {"toy": Archive("toy.tgz", (url,), "CamVid", len(serving.content), md5)}
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


@pytest.fixture
def read_only():
    """A folder that this process cannot write to; root lays down its rights for that."""
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_to_is_refused(read_only, call, monkeypatch, server):
    monkeypatch.setitem(ARCHIVES, "camvid", server.archives["toy"])
    out = read_only / "out"
    for arguments in (
        ("train", "shapes", "--output", out),
        ("train", "shapes", "--output", read_only),
        ("data", "records", "shapes", "--output", out),
        ("data", "fetch", "camvid", "--root", read_only),
    ):
        code, _, said = call(*arguments)
        assert code == 2 and "Permission denied" in said and str(read_only) in said
    assert list(read_only.iterdir()) == []


def test_interrupted_records_are_gone_on_with(camvid_root, tmp_path, monkeypatch, call):
    arguments = ("data", "records", "camvid", "--root", camvid_root, "--shards", 3, "--output")
    assert call(*arguments, tmp_path / "alone")[0] == 0
    read, count = fcn.data.camvid.CamVid.__getitem__, []

    def interrupted(dataset, index):
        count.append(index)
        if len(count) == 4:
            raise KeyboardInterrupt
        return read(dataset, index)

    with monkeypatch.context() as patch:
        patch.setattr(fcn.data.camvid.CamVid, "__getitem__", interrupted)
        assert call(*arguments, tmp_path / "out")[0] == 130
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["00000-of-00003.tfrecord"]
    kept = (tmp_path / "out" / "00000-of-00003.tfrecord").stat().st_mtime_ns
    assert call(*arguments, tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / "00000-of-00003.tfrecord").stat().st_mtime_ns == kept
    assert files_of(tmp_path / "out") == files_of(tmp_path / "alone")


@linux
def test_a_folder_that_another_process_writes_or_downloads_to_is_refused(
    tmp_path, call, monkeypatch, server, camvid_root
):
    monkeypatch.setitem(ARCHIVES, "camvid", server.archives["toy"])
    out, new = tmp_path / "out", tmp_path / "new"
    records = ("data", "records", "camvid", "--root", camvid_root, "--shards", 1, "--output", out)
    fetching = ("data", "fetch", "camvid", "--root", new)
    for arguments, folder, name, doing in (
        (records, out, "records.lock", "written to"),
        (fetching, new / "downloads", "toy.tgz.lock", "downloaded to"),
    ):
        with held(folder, name, doing):
            code, _, said = call(*arguments)
            assert code == 2 and f"{folder} is being {doing} by another process" in said
            assert [path.name for path in folder.iterdir()] == [name]
        assert not folder.exists()
        assert call(*arguments)[0] == 0
        assert not (folder / name).exists()


def test_what_a_killed_fetch_had_unpacked_is_cleared_away(tmp_path, call, monkeypatch, server):
    monkeypatch.setitem(ARCHIVES, "camvid", server.archives["toy"])
    left = tmp_path / "unfinished-camvid" / "CamVid" / "of-a-killed-one"
    left.mkdir(parents=True)
    assert call("data", "fetch", "camvid", "--root", tmp_path)[0] == 0
    assert not (tmp_path / "unfinished-camvid").exists()
    assert not (tmp_path / "CamVid" / "of-a-killed-one").exists()


# Not ru_maxrss, which begins with the memory of the process that started this one.
READING = """
import re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9,) * 2)
import fcn_tutorial as fcn
try:
    fcn.read_image(sys.argv[1])
except fcn.InputError as error:
    print(error)
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024)
"""


def bomb(path, side):
    """A whole PNG of one bit a pixel, all of them zero: a thousandth of what it unpacks to."""
    row = bytes(1 + -(-side // 8))
    packer = zlib.compressobj(9)
    data = b"".join([packer.compress(row) for _ in range(side)] + [packer.flush()])
    header = side.to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    parts = [
        len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)
        for kind, content in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@linux
@pytest.mark.parametrize(("side", "refused"), [(30_000, True), (10_001, True), (10_000, False)])
def test_a_decompression_bomb_is_refused_with_its_size(tmp_path, side, refused):
    bomb(tmp_path / "bomb.png", side)
    assert (tmp_path / "bomb.png").stat().st_size < 500_000
    command = [sys.executable, "-c", READING, tmp_path / "bomb.png"]
    *said, peak = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    assert int(peak) < (200e6 if refused else 2e9)
    expected = f"bomb.png has {side**2:,} pixels, more than the 100,000,000 that are read"
    assert (len(said) == 1 and expected in said[0]) if refused else said == []


CANARY = "code-was-run"


class Payload:
    """Unpickling it would make a file."""

    def __reduce__(self):
        return os.system, (f"touch {CANARY}",)


def with_lambda(path):
    """A model with a Lambda layer whose code would make a file when the model is loaded."""
    wicked = eval(f"lambda x: (open({CANARY!r}, 'w').close(), x)[1]")  # with the name in its code
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(6, 1)(keras.layers.Lambda(wicked)(image)))
    model.save(path)
    os.unlink(CANARY)  # building the model has called it
    keras.models.load_model(path, safe_mode=False)
    os.unlink(CANARY)  # so has loading it where it is not refused


def npz_of_pickles(path):
    np.savez(path, np.array([Payload()], dtype=object))


def bare_pickle(path):
    path.write_bytes(pickle.dumps(Payload()))


@pytest.mark.parametrize(
    ("write", "name", "load"),
    [
        (npz_of_pickles, "a.npz", lambda path: fcn.build_fcn("fcn32s", 6, "mobilenet", path)),
        (npz_of_pickles, "a.npz", lambda path: fcn.vgg16(path)),
        (bare_pickle, "a.npz", lambda path: fcn.vgg16(path)),
        (bare_pickle, "a.h5", lambda path: fcn.vgg16(path)),
        (bare_pickle, "a.keras", lambda path: load_as_run(path)),
        (with_lambda, "a.keras", lambda path: load_as_run(path)),
        (with_lambda, "a.h5", lambda path: fcn.build_fcn("fcn32s", 6, "mobilenet", path)),
    ],
)
def test_code_in_a_model_file_is_not_run(tmp_path, monkeypatch, refusal, write, name, load):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name)
    assert name in refusal(load, tmp_path / name)
    assert not (tmp_path / CANARY).exists()


def load_as_run(path):
    """Load a model file as a run's best model, as somebody does who was sent a run folder."""
    folder = path.parent / "run"
    (folder / "checkpoints").mkdir(parents=True)
    QUICK.save(folder / "recipe.toml")
    legend = {"classes": list("abcdef"), "palette": [[0, 0, 0]] * 6}
    (folder / "classes.json").write_text(json.dumps(legend))
    shutil.copy(path, folder / "checkpoints" / "best.keras")
    try:
        fcn.load_run(folder)
    except fcn.InputError as error:
        raise fcn.InputError(str(error).replace("best.keras", path.name)) from error


def zip_of_zeros(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w") as out:
        for _ in range(100):
            out.write(bytes(10**6))


def declared_only(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (10**5, 10**5), "float32", chunks=(100, 100))


@pytest.mark.parametrize(("write", "size"), [(zip_of_zeros, 10**8), (declared_only, 4 * 10**10)])
def test_a_weight_file_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path, refusal, write, size
):
    path = tmp_path / "weights.h5"
    write(path)
    message = refusal(fcn.vgg16, path)
    assert re.search(rf"weights\.h5 would unpack from [\d,]+ bytes to {size:,}", message)


def test_the_names_of_a_batch_are_those_of_its_images():
    dataset = limited(fcn.load_dataset("shapes", size=32), 5)
    given = {image.tobytes(): name for name, (image, _) in zip(dataset.names, dataset, strict=True)}
    stream = batches(dataset, 2, 32, seed=7).take(6)
    for number, (images, _) in enumerate(stream.as_numpy_iterator()):
        seen = [given[image.astype(np.uint8).tobytes()] for image in images]
        assert names_in_batch(dataset, 2, 7, number) == seen


def test_a_loss_that_is_no_number_names_its_batch_and_keeps_the_last_checkpoint(
    tmp_path, monkeypatch, refusal
):
    fit = keras.Model.fit

    class Poison(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 3:  # the second step of the second epoch
                layer = self.model.get_layer("score_fr")
                layer.set_weights([np.nan * weight for weight in layer.get_weights()])

    def poisoned(model, data, **options):
        options["callbacks"].append(Poison())
        return fit(model, data, **options)

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "fit", poisoned)
        message = refusal(fcn.train, QUICK, tmp_path / "run", verbose=0)
    dataset = limited(fcn.load_dataset("shapes"), QUICK.limit)
    names = ", ".join(names_in_batch(dataset, QUICK.batch_size, QUICK.seed, 3))
    assert f"the loss became nan in epoch 2, step 2 (batch of {names})" in message
    assert all(np.isfinite(array).all() for array in arrays_of(tmp_path / "run").values())
    assert [row["epoch"] for row in runs.read_history(tmp_path / "run")] == [1]


def test_a_loss_that_is_no_number_says_where_the_files_of_its_batch_are(camvid_root, refusal):
    dataset = fcn.load_dataset("camvid", "train", camvid_root)
    stop = callbacks.FiniteLoss(
        lambda *_: dataset.names[:2], "runs/a", dataset.image_file(0).parent
    )
    stop.on_epoch_begin(0)
    message = refusal(stop.on_train_batch_end, 0, {"loss": np.inf})
    assert f"(batch of train0, train1 in {camvid_root / 'CamVid' / 'train'})" in message


KILLED = """
import os, signal, sys
import fcn_tutorial as fcn
from fcn_tutorial import files
replace, count = os.replace, []
def replaced(source, target):
    count.append(target)
    if [os.path.basename(each) for each in count].count("last.weights.h5") == 2:
        with open(source, "r+b") as file:
            file.truncate(os.path.getsize(source) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
files.os.replace = replaced
fcn.train(sys.argv[1], sys.argv[2], verbose=0)
"""


@linux
def test_a_training_killed_while_it_writes_a_checkpoint_is_gone_on_with(run, tmp_path):
    QUICK.save(tmp_path / "quick.toml")
    command = [sys.executable, "-c", KILLED, tmp_path / "quick.toml", tmp_path / "run"]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (half,) = (tmp_path / "run" / "checkpoints").glob("unfinished-*-last.weights.h5")
    whole = tmp_path / "run" / LAST
    assert 0 < half.stat().st_size < whole.stat().st_size
    fcn.train(QUICK, tmp_path / "run", verbose=0)
    assert not half.exists()
    assert_same_runs(tmp_path / "run", run)


def test_what_a_run_depends_on_is_recorded(run):
    around = json.loads((run / "environment.json").read_text())
    assert around["keras"] == keras.__version__ and around["numpy"] == np.__version__
    assert around["python"] == ".".join(map(str, sys.version_info[:3]))
    assert around["data"].keys() == {"shapes train", "shapes val"}
    assert all(re.fullmatch("[0-9a-f]{64}", sum_) for sum_ in around["data"].values())
    checkout = Path(__file__).parents[1]
    if (checkout / ".git").exists():
        commit = around["git"].partition("+")[0]
        git = ["git", "-C", checkout, "cat-file", "-e", f"{commit}^{{commit}}"]
        assert len(commit) >= 12 and subprocess.run(git, check=False).returncode == 0


def test_a_fingerprint_follows_names_sizes_and_the_first_example(camvid_root):
    def fingerprint():
        return runs.fingerprint(fcn.load_dataset("camvid", "train", camvid_root))

    folder, before = camvid_root / "CamVid", fingerprint()
    assert fingerprint() == before
    first = folder / "train" / "train0.png"
    Image.fromarray(255 - fcn.read_image(first)).save(first)
    changed = fingerprint()
    with (folder / "train" / "train3.png").open("ab") as file:
        file.write(b"more")
    longer = fingerprint()
    lines = (folder / "train.txt").read_text().splitlines()
    (folder / "train.txt").write_text("\n".join(lines[:-1]))
    assert len({before, changed, longer, fingerprint()}) == 4


def test_a_fingerprint_of_records_covers_all_their_bytes(camvid_root, tmp_path):
    def fingerprint(name):
        write_records(fcn.load_dataset("camvid", "train", camvid_root), tmp_path / name, shards=2)
        return runs.fingerprint(limited(open_records(tmp_path / name), 4))

    before = fingerprint("before")
    assert fingerprint("again") == before
    last = camvid_root / "CamVid" / "train" / "train3.png"
    Image.fromarray(255 - fcn.read_image(last)).save(last)
    assert fingerprint("changed") != before


def test_evaluate_says_what_was_otherwise_in_training(run, tmp_path, call):
    folder = shutil.copytree(run, tmp_path / "run")
    around = json.loads((folder / "environment.json").read_text())
    around["git"] = runs.environment()["git"]  # which may have changed during the tests
    (folder / "environment.json").write_text(json.dumps(around))
    assert "Not as when" not in call("evaluate", folder, "--limit", 1)[1]
    sum_ = around["data"]["shapes train"]
    around |= {"keras": "3.0.1", "data": {**around["data"], "shapes train": "f" * 64}}
    (folder / "environment.json").write_text(json.dumps(around))
    code, out, _ = call("evaluate", folder, "--limit", 1)
    said = [line for line in out.splitlines() if line.startswith("Not as when")]
    assert code == 0 and said == [
        f"Not as when {folder} was trained: keras 3.0.1 then, {keras.__version__} now; "
        f"shapes train ffffffffffff then, {sum_[:12]} now."
    ]


def test_going_on_in_other_surroundings_keeps_the_earlier_ones(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    before = json.loads((folder / "environment.json").read_text())
    now = {**before, "keras": "99"}
    now.pop("from_epoch", None)
    dataset = limited(fcn.load_dataset("shapes"), 4)
    runs.describe(folder, replace(QUICK, epochs=3), dataset, now, done=2)
    after = runs.read_surroundings(folder)
    assert (after["keras"], after["from_epoch"]) == ("99", 3)
    assert [each["keras"] for each in after["earlier"]] == [keras.__version__]


def record(name):
    return json.loads((RESULTS / "dependable" / f"{name}.json").read_text())


def test_of_ten_thousand_hostile_files_none_does_harm():
    fuzz = record("fuzz")
    assert fuzz["cases"] == 10_000 and fuzz["failures"] == 0 and fuzz["failed"] == []
    assert sum(sum(kind.values()) for kind in fuzz["by_kind"].values()) == 10_000
    kinds = {"image", "label", "mat", "records", "recipe", "npz", "hdf5", "model", "run"}
    assert kinds | {"checkpoint", "command"} == fuzz["by_kind"].keys()
    for name, outcomes in fuzz["by_kind"].items():
        assert outcomes.keys() == {"read", "refused"} and sum(outcomes.values()) >= 200, name
    assert fuzz["peak_bytes"] < fuzz["limit_bytes"] == 2 * 10**9
    assert fuzz["slowest"][0]["seconds"] < fuzz["limit_seconds"]


def test_of_twenty_kills_none_costs_more_than_an_epoch_or_changes_the_weights():
    kills = record("kills")
    assert kills["twice_the_same"] and len(kills["kills"]) == 20
    for kill in kills["kills"]:
        assert kill["killed"] and kill["resumed"] and kill["same_weights"]
        assert 0 <= kill["epochs_lost"] <= 1 and kill["epochs_trained"] <= kills["epochs"]
    assert sum(bool(kill["half_written"]) for kill in kills["kills"]) >= 8
