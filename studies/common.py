"""What the studies share: the clock, a fresh process, and the files that keep what was found.

A study that measures is a script NAME.py, which writes NAME.json beside itself. A study of training
runs keeps them in its folder, without their weights: `table.csv` has a row for each run and split
it was scored on, `recipe.toml` what the runs have in common, `confusions.json`, `history.csv`,
`environment.json` and `classes.json` the rest; `fcn.run_of_record` reads them. From the root of
the checkout,

    python -m studies.common camvid runs/camvid runs/camvid_seed1

keeps two runs that the command line has trained and scored.
"""

import csv
import json
import math
import multiprocessing
import os
import platform
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

STUDIES = Path(__file__).parent


def write(script, content):
    """Write what a script found beside it, as NAME.json, with the machine it ran on."""
    path = Path(script).with_suffix(".json")
    machine = {"cpus": os.cpu_count(), "machine": platform.machine()}
    machine["python"] = platform.python_version()
    if "keras" in sys.modules:
        machine["keras"] = sys.modules["keras"].__version__
    path.write_text(json.dumps({"machine": machine, **content}, indent=1) + "\n")
    print(f"Wrote {path}.")


def in_turn(calls, rounds, warm_up=1, clock=time.perf_counter):
    """Seconds of {name: function}, called one after the other in each round: {name: array}.

    In turn, so that whatever else the machine does meets all alike. The first `warm_up` rounds,
    in which functions are traced and caches filled, are left out. `time.process_time` as clock
    counts seconds of the processor.
    """
    seconds = {name: [] for name in calls}
    for _ in range(warm_up + rounds):
        for name, call in calls.items():
            started = clock()
            call()
            seconds[name].append(clock() - started)
    return {name: np.array(times[warm_up:]) for name, times in seconds.items()}


def fresh(function, *arguments):
    """Call a function in a process of its own, so that its memory is counted from nothing."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peak():
    """The most bytes that this process has held (Linux; getrusage's starts at the parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(folder):
    """Serve the files of a folder on this machine, at the address that `with` gives."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def noise(batch, side):
    """Images (N, side, side, 3) and labels (N, side, side) of 21 classes, uint8, at random."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    return images, rng.integers(0, 21, (batch, side, side), dtype=np.uint8)


def multiply_adds(model, side):
    """Multiplications of a model's convolutions and matrices, for one image of side x side."""
    import keras

    kinds = keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense
    layers = [layer for layer in model.layers if isinstance(layer, kinds)]
    maps = keras.Model(model.inputs[0], [layer.output for layer in layers])
    specs = maps.compute_output_spec(keras.KerasTensor((1, side, side, 3)))
    return sum(
        math.prod(spec.shape[1:-1]) * math.prod(layer.kernel.shape)
        for spec, layer in zip(specs, layers, strict=True)
    )


def read_rows(path):
    """The rows of a CSV file as dictionaries of text; [] where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def add_rows(path, rows):
    """Add rows to a CSV file, under a header that names the keys of the first row."""
    before = read_rows(path)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, before[0] if before else rows[0], lineterminator="\n")
        if not before:
            writer.writeheader()
        writer.writerows(rows)


def fill_table(path, plan, measure):
    """Add `measure(*row)` for each row of the plan whose first columns the table lacks."""
    done = {tuple(row.values())[: len(plan[0])] for row in read_rows(path)}
    for row in plan:
        if tuple(map(str, row)) not in done:
            measured = measure(*row)
            add_rows(path, [measured])
            print(*measured.values(), flush=True)


def missing(study, names):
    """The names of runs that the table of a study lacks."""
    kept = {row["run"] for row in read_rows(study / "table.csv")}
    return [name for name in names if name not in kept]


def scored(result):
    """The scores of a run on the shapes, as a table of many seeds has them."""
    from fcn_tutorial.metrics import constant_baseline

    baseline = constant_baseline(result.confusion)[1].mean_iou
    shares = {"mean_iou": result.mean_iou, "pixel_accuracy": result.pixel_accuracy}
    shares["baseline_mean_iou"] = baseline
    return {name: f"{share:.4f}" for name, share in shares.items()}


def keep(study, folder, minutes=""):
    """Keep a run folder, without its weights, as a run of record of a study.

    A run that is kept already gains the scores that the study lacks.

    study: folder of the study. minutes: what the run took.
    """
    import fcn_tutorial as fcn
    from fcn_tutorial.runs import METRICS

    name, recipe = folder.name, fcn.Recipe.load(folder / "recipe.toml")
    if not (study / "recipe.toml").exists():
        recipe.save(study / "recipe.toml")
        (study / "classes.json").write_text((folder / "classes.json").read_text())
    common = asdict(fcn.Recipe.load(study / "recipe.toml"))
    changes = {key: value for key, value in asdict(recipe).items() if value != common[key]}
    known = {"run": name, "changes": _toml(changes), "minutes": minutes}
    kept = [row for row in read_rows(study / "table.csv") if row["run"] == name]
    for path in sorted(folder.glob("scores*.json")):
        if path.stem in {row["scores"] for row in kept}:
            continue
        stored = json.loads(path.read_text())
        scored = {"scores": path.stem, "split": stored["split"], "examples": stored["examples"]}
        scored["epoch"] = stored.get("epoch", "")
        scored |= {metric: stored[metric] for metric in METRICS}
        add_rows(study / "table.csv", [known | scored])
        _add_entry(study / "confusions.json", f"{name}/{path.stem}", stored["confusion"])
    if kept:
        return
    history = read_rows(folder / "history.csv")
    add_rows(study / "history.csv", [{"run": name, **row} for row in history])
    # Of the first run in full, of the others what differs.
    path, around = study / "environment.json", json.loads((folder / "environment.json").read_text())
    first = next(iter(json.loads(path.read_text()).values())) if path.exists() else {}
    _add_entry(path, name, {key: around[key] for key in around if around[key] != first.get(key)})


def _toml(changes):
    """What a run changes, as the inside of a TOML table on one line, in single quotes."""
    return ", ".join(f"{key} = {json.dumps(v)}".replace('"', "'") for key, v in changes.items())


def _add_entry(path, key, value):
    """Add an entry to a JSON file of one entry a line."""
    content = json.loads(path.read_text()) if path.is_file() else {}
    content[key] = value
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in content.items())
    path.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    for run in sys.argv[2:]:
        keep(STUDIES / sys.argv[1], Path(run))
