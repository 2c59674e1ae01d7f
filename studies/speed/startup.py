"""How long `import fcn_tutorial` and `fcn-tutorial --help` take, each in a process of its own.

    python benchmarks/startup.py

What an empty Python takes is measured in between and printed beside them. Writes
results/speed/startup.json with the median of 15 times.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

RESULT = Path(__file__).with_suffix(".json")
TIMES = 15
COMMANDS = {
    "python": [sys.executable, "-c", ""],
    "import fcn_tutorial": [sys.executable, "-c", "import fcn_tutorial"],
    "fcn-tutorial --help": [Path(sys.executable).with_name("fcn-tutorial"), "--help"],
}


def main():
    seconds = {name: [] for name in COMMANDS}
    for _ in range(1 + TIMES):  # the first time fills the caches of the disk
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(times[1:])) for name, times in seconds.items()}
    machine = {"cpus": os.cpu_count(), "machine": platform.machine()}
    machine["python"] = platform.python_version()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "times": TIMES, "seconds": medians}
    RESULT.write_text(json.dumps(content, indent=1) + "\n")
    for name, median in medians.items():
        print(f"{name}: {median:.2f} s")
    print(f"Wrote {RESULT}.")


if __name__ == "__main__":
    main()
