"""Kill training again and again, and see that nothing is lost.

    python benchmarks/kills.py [--kills 20] [--output results/dependable/kills.json]

A small run is trained to its end, twice. Then, for each kill, it is begun in another folder, ended
by SIGKILL, and gone on with: every second time at a random moment after a random step, the other
times as soon as a file of a checkpoint is half-written. Counted are the epochs that were lost,
which is what had been trained beyond the last checkpoint; and the weights, optimizer and history at
the end are compared with those of the run that was left alone, bit by bit. Needs fork, so Linux or
macOS.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from io import BytesIO
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial import training
from fcn_tutorial.runs import RunFolder, environment, read_history

RESULT = Path(__file__).resolve().parents[1] / "results" / "dependable" / "kills.json"
LAST = "checkpoints/last.weights.h5"
RECIPE = fcn.Recipe(
    dataset="shapes",
    variant="fcn32s",
    backbone="vgg_narrow",
    weights="none",
    limit=4,
    crop_size=32,
    batch_size=1,
    epochs=6,
    flip=True,
    color=0.1,
)
STEPS = RECIPE.limit // RECIPE.batch_size


def begun(folder, steps):
    """Train in a process of its own; it adds a byte to the file `steps` after each step."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        with mock.patch.object(training, "RunFolder", counting(steps)):
            fcn.train(RECIPE, folder, verbose=0)
        code = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def counting(path):
    """RunFolder that counts steps in a file."""

    class Counting(RunFolder):
        def on_train_batch_end(self, batch, logs=None):
            with path.open("ab") as file:
                file.write(b".")

    return Counting


def exit_code(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed_after(folder, steps, moment):
    """Begin the run and kill it so many seconds after its n-th step: (n, seconds)."""
    process, (number, pause) = begun(folder, steps), moment
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        if steps.exists() and steps.stat().st_size >= number:
            time.sleep(pause)
            os.kill(process, signal.SIGKILL)
            return exit_code(process)
        time.sleep(0.001)
    return 0


def killed_while_writing(folder, steps, number):
    """Begin the run and kill it when it is at its `number`-th half-written file; its name."""
    process, seen, before = begun(folder, steps), 0, None
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        names = {path.name for path in (folder / "checkpoints").glob("unfinished-*")}
        seen += bool(names and names != before)
        before = names
        if seen == number:
            os.kill(process, signal.SIGKILL)
            return exit_code(process)
    return 0


def state(folder):
    """All that a run ends with: arrays of the checkpoint and of the best model, and the history.

    Read without TensorFlow, whose threads would not survive the next fork.
    """
    with zipfile.ZipFile(folder / "checkpoints" / "best.keras") as archive:
        best = arrays_in(BytesIO(archive.read("model.weights.h5")))
    last = arrays_in(folder / LAST)
    history = np.array([list(row.values()) for row in read_history(folder)])
    return {
        "history": history,
        **{f"best/{name}": array for name, array in best.items()},
        **{f"last/{name}": array for name, array in last.items()},
    }


def arrays_in(source):
    """{name: array} of an HDF5 file."""
    arrays = {}
    with h5py.File(source) as file:
        file.visititems(
            lambda name, item: arrays.update({name: item[()]} if hasattr(item, "shape") else {})
        )
    return arrays


def same(one, other):
    """Whether two states have the same names and bytes."""
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


def finished_epochs(folder):
    if not (folder / LAST).exists():
        return 0
    with h5py.File(folder / LAST) as file:
        return int(file.attrs["epochs"])


def one_kill(work, reference, kill, moment):
    """Kill a run, resume it, compare; a row of the result, None where it had ended before."""
    folder, steps = work / "run", work / "steps"
    code = kill(folder, steps, moment)
    at_kill = [str(path.relative_to(folder)) for path in folder.rglob("unfinished-*")]
    trained_epochs = (steps.stat().st_size if steps.exists() else 0) / STEPS
    row = {
        kill.__name__: moment,
        "killed": code == -signal.SIGKILL,
        "half_written": at_kill,
        "epochs_trained": trained_epochs,
        "epochs_lost": round(trained_epochs - finished_epochs(folder), 2),
        "resumed": exit_code(begun(folder, work / "more")) == 0,
    }
    row["same_weights"] = row["resumed"] and same(state(folder), reference)
    shutil.rmtree(folder)
    steps.unlink(missing_ok=True)
    return row if row["killed"] else None


def moments():
    """How and when to kill, without end: at random, and within a checkpoint, in turn."""
    chance, epochs = random.Random(0), RECIPE.epochs
    while True:
        pause = round(chance.uniform(0, 0.5), 3)
        yield killed_after, (chance.randint(1, STEPS * epochs - 1), pause)
        yield killed_while_writing, chance.randint(1, 2 * epochs - 2)


def main(kills, output):
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("alone", "again"):
            exit_code(begun(work / name, work / "more"))
        reference = state(work / "alone")
        result = {
            "environment": environment(),
            "epochs": RECIPE.epochs,
            "twice_the_same": same(state(work / "again"), reference),
            "kills": [],
        }
        chosen = moments()
        while len(result["kills"]) < kills:
            if row := one_kill(work, reference, *next(chosen)):
                result["kills"].append(row)
                print(row, flush=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"Wrote {output}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--output", type=Path, default=RESULT)
    main(**vars(parser.parse_args()))
