"""Megabytes of FCNs with VOC's 21 classes, and milliseconds for an image of 512 x 512.

    python -m studies.speed.prediction

One process, one thread, one image at a time, by Keras (`predict_on_batch`) and by the LiteRT file
with weights in 8 bits that `fcn-tutorial export` writes. Milliseconds are of the processor, and all
networks take turns, so that whatever else the machine does meets all alike; even so, the ratios are
what can be compared. Networks that the package does not carry have random weights, which change
neither size nor time.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

import fcn_tutorial as fcn
from fcn_tutorial.data.voc import VOC
from fcn_tutorial.export import export
from fcn_tutorial.weights import SHIPPED
from studies.common import in_turn, write

CARRIED = ("voc_fcn8s", "voc_fcn16s", "voc_fcn32s")  # times are compared with the first
RANDOM = ("mobilenet", "vgg16")
SIDE, ROUNDS = 512, 7


def networks():
    """{name: network}."""
    carried = {name: fcn.load_trained(name) for name in CARRIED}
    return carried | {name: fcn.build_fcn("fcn8s", 21, name) for name in RANDOM}


def in_files(models, folder, side):
    """Write each network as .keras and .tflite: ({name: {kind: MB}}, {name: call of the file})."""
    sizes, runners = {}, {}
    for name, model in models.items():
        paths = [folder / f"{name}.keras", folder / f"{name}.tflite"]
        model.save(paths[0])
        classes = [str(each) for each in range(model.output_shape[-1])]
        export(model, paths[1], classes, VOC.palette[: len(classes)], side)
        sizes[name] = {path.suffix[1:]: path.stat().st_size / 1e6 for path in paths}
        if name in CARRIED:
            files = json.loads((SHIPPED / f"{name}.json").read_text())["weights"]
            sizes[name]["package"] = sum((SHIPPED / file).stat().st_size for file in files) / 1e6
        runners[name] = tf.lite.Interpreter(str(paths[1]), num_threads=1).get_signature_runner()
    return sizes, runners


def measure(models, side, rounds):
    """{name: its megabytes, median milliseconds, and median ratio to the first one's}."""
    image = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        sizes, runners = in_files(models, Path(folder), side)
        calls = {
            (name, kind): call
            for name, model in models.items()
            for kind, call in (
                ("keras", lambda model=model: model.predict_on_batch(image)),
                ("tflite", lambda run=runners[name]: run(image=image)),
            )
        }
        seconds = in_turn(calls, rounds, clock=time.process_time)
    rows = {name: {"megabytes": sizes[name], "milliseconds": {}, "ratio": {}} for name in models}
    first = next(iter(models))
    for (name, kind), times in seconds.items():
        rows[name]["milliseconds"][kind] = float(np.median(times) * 1e3)
        rows[name]["ratio"][kind] = float(np.median(times / seconds[first, kind]))
    return rows


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rows = measure(networks(), SIDE, ROUNDS)
    write(__file__, {"side": SIDE, "rounds": ROUNDS, "networks": rows})
