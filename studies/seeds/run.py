"""How far does chance move a score? The same recipes with other seeds, on the shapes data set.

    python benchmarks/seeds.py runs/seeds

Trains FCN-32s, FCN-16s and FCN-8s, each at once from the shipped classifier, for a shortened time
with seeds 0 to 4, and scores each on the held-out scenes. After each run it adds a line to
results/seeds/shapes.csv; runs that stand there already are skipped, so it can be stopped at will.
"""

import csv
import sys
import time
from dataclasses import replace
from pathlib import Path

import fcn_tutorial as fcn
from fcn_tutorial.metrics import constant_baseline

TABLE = Path(__file__).with_name("table.csv")
COLUMNS = ("run", "seed", "mean_iou", "pixel_accuracy", "baseline_mean_iou", "seconds")
EPOCHS = 6
SEEDS = range(5)
# What each run changes in the recipe "shapes". The last two put claims of the paper to the test.
RUNS = {
    "fcn32s": {"variant": "fcn32s"},
    "fcn16s": {"variant": "fcn16s"},
    "fcn8s": {"variant": "fcn8s"},
    "fcn8s-no-flip": {"variant": "fcn8s", "flip": False},
    "fcn32s-fixed": {"variant": "fcn32s", "trunk_learning_rate": 0.0},
}
# The three networks with every seed come first, then the other two with three seeds.
PLAN = [(run, seed) for seed in SEEDS for run in list(RUNS)[:3]]
PLAN += [(run, seed) for seed in SEEDS[:3] for run in list(RUNS)[3:]]


def measure(name, seed, folder):
    """Train one run (or go on with it) and return its line of the table."""
    started = time.perf_counter()
    recipe = replace(fcn.Recipe.load("shapes"), epochs=EPOCHS, seed=seed, **RUNS[name])
    run = fcn.train(recipe, Path(folder) / f"{name}-{seed}", verbose=0)
    seconds = time.perf_counter() - started
    result = fcn.evaluate(run.model, fcn.load_dataset("shapes", "test"))
    baseline = constant_baseline(result.confusion)[1].mean_iou
    shares = (result.mean_iou, result.pixel_accuracy, baseline)
    return (name, seed, *(f"{share:.4f}" for share in shares), round(seconds))


def finished():
    """(run, seed) of each line that stands in the table already."""
    if not TABLE.is_file():
        return set()
    with TABLE.open(newline="") as file:
        return {(row["run"], int(row["seed"])) for row in csv.DictReader(file)}


def add(line):
    """Add a line to the table, with a header where the table is new."""
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    new = not TABLE.is_file()
    with TABLE.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, line] if new else [line])


def main(folder):
    done = finished()
    for name, seed in PLAN:
        if (name, seed) not in done:
            line = measure(name, seed, folder)
            add(line)
            print(*line, flush=True)
    print(f"Wrote {TABLE}.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/seeds")
