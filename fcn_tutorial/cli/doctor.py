"""`fcn-tutorial doctor`."""

import os
import re
from pathlib import Path

from fcn_tutorial.cli.common import quiet_import

MAPS = Path("/proc/self/maps")  # on Linux: the libraries that this process has loaded
ADVICE = "Tip: preloading libtcmalloc_minimal.so.4 (LD_PRELOAD) can speed up training on a CPU."


def doctor() -> None:
    """Report versions, devices, data and weights on this machine."""
    with quiet_import():
        from fcn_tutorial.devices import device_names, on_gpu
        from fcn_tutorial.runs import environment
    from fcn_tutorial.data.dataset import data_root

    camvid = (data_root() / "CamVid").is_dir()
    weights = os.environ.get("FCN_WEIGHTS")
    missing = " (not found)" if weights and not os.path.isdir(weights) else ""
    rows = environment() | {
        "devices": ", ".join(device_names()),
        "data": f"{data_root()} (CamVid {'found' if camvid else 'not found'})",
        "FCN_WEIGHTS": f"{weights or 'not set: Keras downloads ImageNet weights'}{missing}",
    }
    for name, value in rows.items():
        print(f"{name:14}{value}")
    # The C library's own allocator returns large blocks to the system at every training step.
    loaded = MAPS.read_text() if MAPS.is_file() and not on_gpu() else "jemalloc"
    if not re.search("tcmalloc|jemalloc", loaded):
        print(ADVICE)
