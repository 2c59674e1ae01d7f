"""This library's input beside that of kevinddchen/Keras-FCN, on VOC 2012's training images.

    FCN_DATA=DATA python benchmarks/input.py

Baselines, written anew from that repository's source, both with `shuffle(1000).batch(8)`, one after
the other and without reading ahead: `padded`, its earlier records of raw pixels, 512 x 512 each,
and `one_hot`, its last ones, raw pixels of the image's own size, which are resized and padded to
512 x 512 while they are read, with labels one-hot. This library's side: `ours`, crops of 512 x 512
from encoded records, as its recipe keras_fcn_fcn32s asks for, and `augmented`, crops of 256 x 256
with random scale, flip and color.

All read whole passes in turn, first with their files in the page cache, then without. A pass goes
so often through the images at hand that it is as long as one over VOC 2012's training split, so
that the baselines' buffers of 1,000 fill. (`one_hot` takes 6 GB for that.) The first pass does not
count: in it, records are checked. Peak memory is of a process of its own for each. Last, steps of
FCN-8s over MobileNet are fed from `augmented`, and the time in which they wait for a batch is
counted. Linux only. Writes results/speed/input.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import VOID
from fcn_tutorial.data.records import open_records, write_records
from fcn_tutorial.training import compiled_model

RESULT = Path(__file__).with_suffix(".json")
SIDE, BUFFER, BATCH, NUM_CLASSES = 512, 1000, 8, 21
WHOLE = 1464  # images in VOC 2012's training split
OURS = {
    "ours": {"crop_size": SIDE},
    "augmented": {"crop_size": 256, "scale": (0.5, 2.0), "flip": True, "color": 0.4},
}
BASELINES = ("padded", "one_hot")
STEPS = 30
TEXT, NUMBER = (tf.io.FixedLenFeature([], kind) for kind in (tf.string, tf.int64))


def write_padded(dataset, path):
    """Raw pixels, padded to 512 x 512; in the label, void becomes background."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label in dataset:
            padded = ImageOps.pad(Image.fromarray(image), (SIDE, SIDE))
            label = Image.fromarray(np.where(label == VOID, 0, label))
            # The original's label has a palette, and Pillow never blends the ids of one.
            label = ImageOps.pad(label, (SIDE, SIDE), Image.Resampling.NEAREST)
            features = {"image": _bytes(padded.tobytes()), "label": _bytes(label.tobytes())}
            writer.write(_example(features))


def write_one_hot(dataset, path):
    """Raw pixels of the image's own size; the labels become one-hot when they are read."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label in dataset:
            height, width = (
                tf.train.Feature(int64_list=tf.train.Int64List(value=[n])) for n in label.shape
            )
            pixels = {"image": _bytes(image.tobytes()), "label": _bytes(label.tobytes())}
            writer.write(_example({"height": height, "width": width, **pixels}))


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _example(features):
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def read_padded(record):
    """Image uint8 (512, 512, 3) and label uint8 (512, 512)."""
    found = tf.io.parse_single_example(record, {"image": TEXT, "label": TEXT})
    image = tf.reshape(tf.io.decode_raw(found["image"], tf.uint8), (SIDE, SIDE, 3))
    return image, tf.reshape(tf.io.decode_raw(found["label"], tf.uint8), (SIDE, SIDE))


def read_one_hot(record):
    """Image uint8 (512, 512, 3) and label bool (512, 512, 21), all False where void."""
    shape = {"height": NUMBER, "width": NUMBER}
    found = tf.io.parse_single_example(record, {**shape, "image": TEXT, "label": TEXT})
    size = (found["height"], found["width"])
    image = tf.reshape(tf.io.decode_raw(found["image"], tf.uint8), (*size, 3))
    label = tf.reshape(tf.io.decode_raw(found["label"], tf.uint8), (*size, 1))
    nearest = tf.image.ResizeMethod.NEAREST_NEIGHBOR
    image = tf.image.resize_with_pad(image, SIDE, SIDE, method=nearest)
    # Padding adds zeros; one more for each id, and what is padded becomes void.
    label = tf.image.resize_with_pad(label + 1, SIDE, SIDE, method=nearest) - 1
    return image, np.arange(NUM_CLASSES) == label


def write_all(dataset, folder):
    """Write what every stream reads."""
    write_records(dataset, folder / "records")
    write_padded(dataset, folder / "padded.tfrecord")
    write_one_hot(dataset, folder / "one_hot.tfrecord")


def files_of(name, folder):
    """The files that a stream reads."""
    if name in OURS:
        return sorted((folder / "records").glob("*.tfrecord"))
    return [folder / f"{name}.tfrecord"]


def stream(name, folder, times=1):
    """Batches of one side; a baseline ends after going `times` through its file."""
    if name in OURS:
        return fcn.batches(open_records(folder / "records"), BATCH, **OURS[name])
    read = {"padded": read_padded, "one_hot": read_one_hot}[name]
    files = [str(path) for path in files_of(name, folder) * times]
    return tf.data.TFRecordDataset(files).map(read).shuffle(BUFFER).batch(BATCH)


def drain(batches, count):
    """Read `count` batches; returns seconds to the first, seconds, images, processor seconds."""
    started, worked, first, images = time.perf_counter(), time.process_time(), None, 0
    # The iterator lives on until the times are taken: its end now and then waits for TensorFlow's
    # autotuning to wake up, for up to as long as it has run.
    iterator = iter(batches.take(count))
    for batch in iterator:
        images += len(batch[0])
        first = first or time.perf_counter() - started
    return first, time.perf_counter() - started, images, time.process_time() - worked


def forget(paths):
    """Drop files from the page cache, so that they are read from the disk again."""
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def passes(folder, rounds, cold):
    """Whole passes of all sides, in turn; the first round does not count."""
    length = len(open_records(folder / "records"))
    times = -(-WHOLE // length)
    count = times * length // BATCH
    streams = {name: stream(name, folder, times) for name in (*BASELINES, *OURS)}
    found = {name: [] for name in streams}
    for _ in range(1 + rounds):
        for name, batches in streams.items():
            if cold:
                forget(files_of(name, folder))
            found[name].append(drain(batches, count))
    times = {name: np.array(rows[1:]) for name, rows in found.items()}
    rates = {name: rows[:, 2] / rows[:, 1] for name, rows in times.items()}
    work = {name: rows[:, 3] / rows[:, 2] for name, rows in times.items()}
    return {
        "first_batch_seconds": {n: float(np.median(rows[:, 0])) for n, rows in times.items()},
        "images_a_second": {name: float(np.median(rate)) for name, rate in rates.items()},
        "processor_seconds_an_image": {name: float(np.median(x)) for name, x in work.items()},
        "ratio": {
            f"{ours} to {other}": float(np.median(rates[ours] / rates[other]))
            for ours in OURS
            for other in BASELINES
        },
    }


def peak():
    """The most bytes that this process has held (the system's own count starts at its parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def memory(name, folder):
    """Peak bytes while a stream fills its buffer and gives a pass, less those before it."""
    length = len(open_records(folder / "records"))
    # As often through the file as the buffer needs to fill, as on the whole of VOC 2012.
    times = -(-BUFFER // length) + 1 if name == "padded" else 1
    before = peak()
    drain(stream(name, folder, times), length // BATCH)
    return {"examples": times * length, "peak_bytes": peak(), "more_bytes": peak() - before}


def in_process(name, folder):
    """`memory`, in a process of its own."""
    child = [sys.executable, __file__, "--memory", name, str(folder)]
    answer = subprocess.run(child, check=True, capture_output=True, text=True).stdout
    return json.loads(answer.splitlines()[-1])


def waiting(folder, steps):
    """Steps of FCN-8s over MobileNet: seconds a step, and the share that waits for its batch."""
    changes = {"initial": "", "weights": "none", "crop_size": 256, "batch_size": BATCH}
    recipe = fcn.Recipe.load("voc_mobilenet_fcn8s", **changes)
    network = compiled_model(recipe, NUM_CLASSES, steps_per_epoch=100)
    batches, times = iter(stream("augmented", folder)), []
    for _ in range(3 + steps):
        started = time.perf_counter()
        image, label = next(batches)
        arrived = time.perf_counter()
        network.train_on_batch(image, label)
        times.append((arrived - started, time.perf_counter() - started))
    waited, whole = np.sum(times[3:], axis=0)
    return {
        "steps": steps,
        "seconds_a_step": float(whole / steps),
        "share_waiting": float(waited / whole),
    }


def measure(dataset, folder, rounds, steps):
    """Everything that the result says, of one data set."""
    write_all(dataset, folder)
    sizes = {
        name: sum(path.stat().st_size for path in files_of(name, folder)) / len(dataset)
        for name in (*BASELINES, "ours")
    }
    return {
        "images": len(dataset),
        "batch": BATCH,
        "rounds": rounds,
        "bytes_an_example": sizes,
        "files_in_page_cache": passes(folder, rounds, cold=False),
        "files_on_disk": passes(folder, rounds, cold=True),
        "memory": {name: in_process(name, folder) for name in (*BASELINES, *OURS)},
        "training": waiting(folder, steps),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    dataset = fcn.load_dataset("voc2012", "train")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(dataset, Path(folder), rounds, STEPS)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "tensorflow": tf.__version__}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"machine": machine, **found}, indent=1) + "\n")
    for place in ("files_in_page_cache", "files_on_disk"):
        print(place, json.dumps(found[place], indent=1))
    share = found["training"]["share_waiting"]
    print(f"{100 * share:.1f} % of a training step waits for its batch. Wrote {RESULT}.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(json.dumps(memory(sys.argv[2], Path(sys.argv[3]))))
    else:
        main()
