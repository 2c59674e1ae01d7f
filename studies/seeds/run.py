"""How much does chance move a score? The same recipes with other seeds, on the shapes data set.

    python -m studies.seeds.run runs/seeds

Trains FCN-32s, FCN-16s and FCN-8s, each at once from the shipped classifier, for a shortened time
with seeds 0 to 4, and scores each on the held-out scenes. After each run it adds a line to
table.csv beside it; runs that stand there already are skipped, so it can be stopped at will.
"""

import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import fcn_tutorial as fcn
from studies.common import fill_table, scored

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
    """Train one run, or resume it, and return its row of the table."""
    started = time.perf_counter()
    recipe = replace(fcn.Recipe.load("shapes"), epochs=EPOCHS, seed=seed, **RUNS[name])
    run = fcn.train(recipe, Path(folder) / f"{name}-{seed}", verbose=0)
    seconds = round(time.perf_counter() - started)
    result = fcn.evaluate(run.model, fcn.load_dataset("shapes", "test"))
    return {"run": name, "seed": seed, **scored(result), "seconds": seconds}


if __name__ == "__main__":
    table = Path(__file__).with_name("table.csv")
    fill_table(table, PLAN, partial(measure, folder=sys.argv[1]))
