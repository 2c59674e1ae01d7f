"""How long `import fcn_tutorial` and `fcn-tutorial --help` take, each in a process of its own.

    python -m studies.speed.startup

What an empty Python takes is measured beside them. Writes the medians of 15 times.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

from studies.common import in_turn, write

TIMES = 15
COMMANDS = {
    "python": [sys.executable, "-c", ""],
    "import fcn_tutorial": [sys.executable, "-c", "import fcn_tutorial"],
    "fcn-tutorial --help": [Path(sys.executable).with_name("fcn-tutorial"), "--help"],
}


def main():
    run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
    seconds = in_turn({name: partial(run, each) for name, each in COMMANDS.items()}, TIMES)
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    print(medians)
    write(__file__, {"times": TIMES, "seconds": medians})


if __name__ == "__main__":
    main()
