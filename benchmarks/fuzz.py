"""Give the library 10,000 damaged and hostile files, and see that none does harm.

    python benchmarks/fuzz.py [--cases 10000] [--seed 0] [--processes 2] [--output FILE]

Files of every kind that is read are mutated or built to attack (benchmarks/hostile.py) and read in
processes of their own. A case is good when it ends with a result or with InputError in one line;
at the command line, with exit code 0 or 2 and at most one sentence. A case fails when it raises
anything else, takes longer than LIMIT seconds, ends its process, takes the process to 2 GB of
memory or more, writes outside its folder, starts a program, or runs code from a file. Linux only.
"""

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.path.insert(0, str(Path(__file__).parent))

import hostile
import numpy as np
from tqdm import tqdm

RESULT = Path(__file__).resolve().parents[1] / "results" / "dependable" / "fuzz.json"
LIMIT = 60  # seconds for a case, on a machine that does other work beside
MEMORY = 2 * 10**9  # bytes of a process, all its libraries included
# How often each kind comes, in 10,000 cases.
SHARES = {
    "image": 2200,
    "label": 1300,
    "mat": 1200,
    "records": 1400,
    "recipe": 1000,
    "npz": 700,
    "hdf5": 600,
    "model": 500,
    "checkpoint": 300,
    "run": 600,
    "command": 200,
}


PHOTO = "image/a.png"


def small_model(classes=6):
    """A network as small as one can be that a run folder takes."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="one")(image)
    x = keras.layers.BatchNormalization(name="two")(x)
    scores = keras.layers.Conv2D(classes, 1, activation="linear", name="three")(x)
    model = keras.Model(image, scores, name="small")
    model.compile(optimizer="adamw", loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def write_samples(folder):
    """Good files of every kind, each in a folder of its own."""
    for kind in ("image", "label", "mat", "recipe", "npz", "hdf5", "model", "checkpoint"):
        (folder / kind).mkdir(parents=True)
    write_pictures(folder)
    write_networks(folder)
    write_run(folder / "run", folder / "model" / "small.keras")


def write_pictures(folder):
    from PIL import Image
    from scipy import io

    import fcn_tutorial as fcn
    from fcn_tutorial.data.records import write_records

    pixels, ids = fcn.load_dataset("shapes", count=1, size=24)[0]
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm"):
        image.save(folder / "image" / f"a.{suffix}", **({"exif": exif} if suffix == "jpg" else {}))
    Image.fromarray(np.uint16(ids) * 9000).save(folder / "image" / "sixteen.png")
    image.save(folder / "image" / "packed.tif", compression="tiff_lzw")
    Image.fromarray(ids).save(folder / "label" / "grey.png")
    image.quantize(9).save(folder / "label" / "palette.png")
    truth = {"GTcls": {"Segmentation": ids, "Boundaries": np.zeros((20, 1), object)}}
    io.savemat(folder / "mat" / "plain.mat", truth)
    io.savemat(folder / "mat" / "packed.mat", truth, do_compression=True)
    write_records(fcn.load_dataset("shapes", count=3, size=16), folder / "records", 2)
    for name in ("shapes", "camvid"):
        fcn.Recipe.load(name).save(folder / "recipe" / f"{name}.toml")


def write_networks(folder):
    import keras

    from fcn_tutorial.backbones import store
    from fcn_tutorial.runs import save_checkpoint

    model = small_model()
    store(model, folder / "npz" / "small.npz")
    model.save_weights(folder / "hdf5" / "small.weights.h5")
    model.save(folder / "hdf5" / "small.h5")
    keras.Model(model.inputs[0], model.outputs[0]).save(folder / "model" / "small.keras")
    (folder / "checkpoints").mkdir()
    save_checkpoint(folder, model, 1)
    os.replace(
        folder / "checkpoints" / "last.weights.h5", folder / "checkpoint" / "last.weights.h5"
    )
    (folder / "checkpoints").rmdir()


def write_run(folder, model):
    import fcn_tutorial as fcn
    from fcn_tutorial.runs import environment, write_scores

    examples = fcn.load_dataset("shapes", "val", count=2, size=32)
    (folder / "checkpoints").mkdir(parents=True)
    shutil.copy(model, folder / "checkpoints" / "best.keras")
    fcn.Recipe("shapes", limit=2, crop_size=32).save(folder / "recipe.toml")
    legend = {"classes": examples.classes, "palette": examples.palette.tolist()}
    (folder / "classes.json").write_text(json.dumps(legend))
    (folder / "history.csv").write_text("epoch,loss,val_mean_iou\n1,2.5,0.25\n2,1.5,0.5\n")
    (folder / "environment.json").write_text(json.dumps({**environment(), "data": {"a": "b"}}))
    labels = np.stack([label for _, label in examples])
    result = fcn.scores(fcn.confusion_matrix(labels, labels, len(examples.classes)))
    write_scores(folder / "scores.json", result, examples, epoch=2)


class Reader:
    """Gives each kind of file to the library as a user would; each method returns nothing."""

    def __init__(self, samples):
        import fcn_tutorial as fcn

        self.fcn, self.samples, self.network = fcn, samples, small_model()

    def image(self, path):
        from fcn_tutorial.data.images import LARGEST

        image = self.fcn.read_image(path)
        assert image.dtype == np.uint8 and image.shape[2:] == (3,) and image.size <= 3 * LARGEST

    def label(self, path):
        from fcn_tutorial.data.images import read_label

        self._check(read_label(path, 12, void=11), 12)

    def mat(self, path):
        from fcn_tutorial.data.voc import read_mat

        self._check(read_mat(path, 21), 21)

    def _check(self, ids, classes):
        assert ids.dtype == np.uint8 and ids.ndim == 2 and ((ids < classes) | (ids == 255)).all()

    def records(self, path):
        dataset = self.fcn.open_records(path)
        for place in range(min(len(dataset), 5)):
            image, label = dataset[place]
            assert image.shape[:2] == label.shape

    def recipe(self, path):
        recipe = self.fcn.Recipe.load(path)
        recipe.save(path.with_name("again.toml"))
        assert self.fcn.Recipe.load(path.with_name("again.toml")) == recipe

    def npz(self, path):
        from fcn_tutorial.backbones import restored

        restored(self.network, path)

    def hdf5(self, path):
        from fcn_tutorial.backbones import pretrained

        with pretrained(path, "") as file:
            self.network.load_weights(file)

    def model(self, path):
        from fcn_tutorial.modelfiles import load_model

        load_model(path)

    def checkpoint(self, path):
        from fcn_tutorial.runs import load_checkpoint

        load_checkpoint(path, self.network)

    def run(self, path):
        from fcn_tutorial import runs

        run = self.fcn.load_run(path)
        assert len(run.palette) == len(run.classes)
        runs.differences(runs.read_surroundings(path), runs.environment())
        with mock.patch.object(runs, "RESULTS", path.parent):
            runs.run_of_record(path.name)

    def command(self, arguments):
        """Run a command in this process; one sentence at most, and code 0 or 2."""
        from fcn_tutorial import cli, training

        out, complaint = StringIO(), StringIO()
        with (
            mock.patch.object(sys, "argv", ["fcn-tutorial", *map(str, arguments)]),
            mock.patch.object(training, "_fit", self._instead_of_steps),
            redirect_stdout(out),
            redirect_stderr(complaint),
        ):
            code = exit_code(cli.main)
        lines = [line for line in complaint.getvalue().splitlines() if "%|" not in line]
        said = [line for line in lines if line.strip()]
        assert code in (0, 2) and "Traceback" not in complaint.getvalue(), (code, said)
        assert len(said) == (code == 2) or "Usage" in said[0], said
        if code == 2:
            raise self.fcn.InputError(said[-1])

    def _instead_of_steps(self, *arguments):
        """Training comes this far with a recipe that is good; steps would take too long here."""
        raise self.fcn.InputError("all is ready for the first step.")


def exit_code(main):
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


def command(chance, samples, folder):
    """A command with a hostile file; returns its arguments."""
    make = chance.choice(
        (segment_image, segment_by_run, evaluate_run, check_data, pack_data, train_by, train_with)
    )
    return [str(each).replace("\0", "") for each in make(chance, samples, folder)]


def segment_image(chance, samples, folder):
    path = hostile.image(chance, samples, folder)
    path = path if path.suffix else path.rename(path.with_suffix(".png"))
    return "segment", samples / "run", path, "--output", folder / "out"


def segment_by_run(chance, samples, folder):
    run = hostile.run(chance, samples, folder)
    return "segment", run, samples / PHOTO, "--output", folder / "out"


def evaluate_run(chance, samples, folder):
    return "evaluate", hostile.run(chance, samples, folder), "--limit", 1


def check_data(chance, samples, folder):
    return "data", "check", "camvid", "--root", camvid(chance, samples, folder)


def pack_data(chance, samples, folder):
    root = camvid(chance, samples, folder)
    return "data", "records", "camvid", "--root", root, "--output", folder / "out"


# A network that fits into the memory here, and nothing that would be downloaded.
SMALL = ("--set", "backbone=vgg_narrow", "--set", "weights=none", "--limit", 2)


def train_by(chance, samples, folder):
    """With a hostile recipe."""
    return "train", hostile.recipe(chance, samples, folder), "--output", folder / "out", *SMALL


def train_with(chance, samples, folder):
    """With a good recipe and one hostile change."""
    change = f"{chance.choice(hostile.KEYS)}={chance.choice(hostile.TOML)[:300]}"
    return "train", "shapes", "--output", folder / "out", "--set", change, *SMALL


def camvid(chance, samples, folder):
    """A data set of one image a split, one of which is hostile, or whose list is."""
    root = folder / "data"
    for split in ("train", "val", "test"):
        (root / "CamVid" / split).mkdir(parents=True)
        (root / "CamVid" / f"{split}annot").mkdir()
        shutil.copy(samples / PHOTO, root / "CamVid" / split / "a.png")
        shutil.copy(samples / "label" / "grey.png", root / "CamVid" / f"{split}annot" / "a.png")
        (root / "CamVid" / f"{split}.txt").write_text("/SegNet/a.png /SegNet/a.png\n")
    scratch = folder / "scratch"
    scratch.mkdir()
    aim = chance.choice(("image", "label", "list"))
    if aim == "list":
        hostile.damage_bytes(chance, root / "CamVid" / "train.txt")
    else:
        bad = getattr(hostile, aim)(chance, samples, scratch)
        name = "train" if aim == "image" else "trainannot"
        shutil.copy(bad, root / "CamVid" / name / "a.png")
    shutil.rmtree(scratch)
    return root


@contextmanager
def watched(folder):
    """Within it, what a case does to the outside is noted: a list of sentences."""
    STATE["folder"], STATE["seen"] = str(folder), []
    try:
        yield STATE["seen"]
    finally:
        STATE["folder"] = None


NO_MEMORY = re.compile("MemoryError|[Uu]nable to allocate|bad_alloc|[Cc]annot allocate")
STATE = {"folder": None, "seen": []}
PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn")
FORBIDDEN = (*PROGRAMS, "pickle.find_class", "socket.connect", "ctypes.dlopen")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")


def audit(event, arguments):
    """Python calls this for whatever touches files, programs or the network."""
    if STATE["folder"] is None:
        return
    if event in FORBIDDEN and not _asks_git(event, arguments):
        STATE["seen"].append(f"{event} {arguments[:2]}")
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if (writes or event in CHANGES) and not isinstance(arguments[0], int):
        place = os.path.join(_base(event, arguments), os.fsdecode(arguments[0]))
        if not os.path.abspath(place).startswith((STATE["folder"], os.devnull)):
            STATE["seen"].append(f"{event} {place}")


def _base(event, arguments):
    """The folder to which a path is relative: some calls name it by the number of an open file."""
    number = arguments[-1] if event in ("os.remove", "os.rmdir", "os.mkdir") else -1
    return os.readlink(f"/proc/self/fd/{number}") if number >= 0 else os.getcwd()


def _asks_git(event, arguments):
    """The library itself asks git for the revision of its own checkout."""
    return event in ("subprocess.Popen", "os.posix_spawn") and "git" in str(arguments[0])


def one_case(reader, kind, number, seed, folder):
    """Make a case and give it to the library: (outcome, seconds, what was said, peak in bytes)."""
    chance = random.Random(f"{seed} {kind} {number}")
    with tempfile.TemporaryDirectory(dir=folder, prefix="case-") as place:
        place = Path(place)
        make = command if kind == "command" else getattr(hostile, kind)
        given = make(chance, reader.samples, place)
        tempfile.tempdir = str(place)
        start = time.perf_counter()
        # Making the case has taken memory of its own: the peak begins anew.
        Path("/proc/self/clear_refs").write_text("5")
        with watched(place) as seen:
            outcome, said = outcome_of(reader, kind, given)
        seconds, peak = time.perf_counter() - start, peak_bytes()
        tempfile.tempdir = None
    strangers = {path.name for path in folder.iterdir()} - {"samples"}
    if seen or strangers or os.path.exists(hostile.CANARY):
        outcome, said = "touched the outside", f"{seen} {strangers}"
    if peak > MEMORY:
        outcome = "took too much memory"
    return outcome, seconds, said, peak


def outcome_of(reader, kind, given):
    try:
        getattr(reader, kind)(given)
    except reader.fcn.InputError as error:
        said = str(error)
        # The limit on this process's memory has done what the library should have.
        if NO_MEMORY.search(said):
            return "asked for too much memory", said
        return ("refused" if said and "\n" not in said else "more than a line"), said
    except BaseException as error:
        return f"raised {type(error).__name__}", str(error)[:500]
    return "read", ""


def work(connection, samples, seed):
    """A worker: cases in, outcomes out, until it is killed."""
    os.setsid()
    folder = Path(tempfile.mkdtemp(dir=samples.parent))
    os.chdir(folder)
    reader = Reader(samples)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY,) * 2)
    sys.addaudithook(audit)
    while True:
        kind, number = connection.recv()
        connection.send(one_case(reader, kind, number, seed, folder))


def peak_bytes():
    """The most memory that this process has held since the peak began anew."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


class Worker:
    """A process that is started anew when a case has ended it, or has not ended in time."""

    def __init__(self, samples, seed):
        self.arguments, self.process = (samples, seed), None

    def start(self):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, *self.arguments), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, case):
        if self.process is None:
            self.start()
        self.case, self.since = case, time.perf_counter()
        self.connection.send(case)

    def take(self):
        """The answer (outcome, seconds, said, peak), or None where there is none yet."""
        try:
            if self.connection.poll():
                return self.connection.recv()
        except (EOFError, ConnectionError):
            return self.ended("ended its process")
        # The first case also waits for TensorFlow to be imported.
        limit = LIMIT if getattr(self, "warm", False) else 5 * LIMIT
        return self.ended("hung") if time.perf_counter() - self.since > limit else None

    def ended(self, outcome):
        self.process.kill()
        self.process.join()
        code, self.process, self.warm = self.process.exitcode, None, False
        return outcome, time.perf_counter() - self.since, f"exit code {code}", 0


def run_cases(cases, workers, bar):
    """Give out the cases; yields (case, outcome, seconds, said, peak) as they end."""
    waiting, busy = list(reversed(cases)), []
    idle = list(workers)
    while waiting or busy:
        while idle and waiting:
            worker = idle.pop()
            worker.give(waiting.pop())
            busy.append(worker)
        for worker in list(busy):
            if (answer := worker.take()) is not None:
                worker.warm = worker.process is not None
                busy.remove(worker)
                idle.append(worker)
                bar.update(1)
                yield worker.case, *answer
        time.sleep(0.001)


def plan(count, seed):
    """(kind, number) of so many cases, mixed, in the proportions of SHARES."""
    whole = sum(SHARES.values())
    shares = {kind: share * count // whole for kind, share in SHARES.items()}
    shares["image"] += count - sum(shares.values())
    cases = [(kind, number) for kind, share in shares.items() for number in range(share)]
    random.Random(seed).shuffle(cases)
    return cases


def good(outcome):
    return outcome in ("read", "refused")


def summary(rows, seconds, seed, processes):
    """What is kept of all rows, for JSON."""
    kinds = {kind: Counter(row[1] for row in rows if row[0][0] == kind) for kind in SHARES}
    slowest = sorted(rows, key=lambda row: -row[2])[:10]
    failures = [row for row in rows if not good(row[1])]
    return {
        "cases": len(rows),
        "seed": seed,
        "failures": len(failures),
        "by_kind": {kind: dict(sorted(count.items())) for kind, count in kinds.items()},
        "failed": [dict(case=row[0], outcome=row[1], said=row[3]) for row in failures[:100]],
        "limit_seconds": LIMIT,
        "slowest": [dict(case=row[0], seconds=round(row[2], 2)) for row in slowest],
        "limit_bytes": MEMORY,
        "peak_bytes": max(row[4] for row in rows),
        "peak_bytes_by_kind": {
            kind: max((row[4] for row in rows if row[0][0] == kind), default=0) for kind in SHARES
        },
        "seconds": round(seconds),
        "processes": processes,
    }


def main(cases, seed, processes, output, only, first):
    from fcn_tutorial.runs import environment

    chosen = [case for case in plan(cases, seed) if only in (None, case[0])][first:]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        samples = Path(folder) / "samples"
        write_samples(samples)
        workers = [Worker(samples, seed) for _ in range(processes)]
        start, rows = time.perf_counter(), []
        with tqdm(total=len(chosen), desc="fuzz") as bar:
            for row in run_cases(chosen, workers, bar):
                rows.append(row)
                if not good(row[1]):
                    bar.write(f"{row[0]}: {row[1]}: {row[3]}")
        for worker in workers:
            worker.ended("done")
    result = {**summary(rows, time.perf_counter() - start, seed, processes)}
    result["environment"] = environment()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"Wrote {output}: {result['failures']} of {len(rows)} cases failed.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--only", choices=SHARES, help="only the cases of one kind")
    parser.add_argument("--first", type=int, default=0, help="leave out the cases before")
    main(**vars(parser.parse_args()))
