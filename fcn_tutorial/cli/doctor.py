"""`fcn-tutorial doctor`."""

import os

from fcn_tutorial.cli.common import quiet_import


def doctor() -> None:
    """Report versions, devices, data and weights on this machine."""
    with quiet_import():
        from fcn_tutorial.devices import device_names
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
