"""Records: a data set in a few large files, each example with its image as the encoded file.

A folder holds shards, TFRecord files of `tf.train.Example` with the features name, image (the bytes
of a JPEG or PNG file, as they are on the disk) and label (a greyscale PNG of ids, 255 = void), and
index.json, which is written last: it says what the data set is and where in which shard each
example starts. Whatever reads TFRecords can read the shards. Writing and reading need TensorFlow.
"""

import json
import multiprocessing
import os
import zlib
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fcn_tutorial.data.dataset import VOID, Dataset, check_examples, legend_of
from fcn_tutorial.data.images import check_sizes, encode_png, read_image, read_label
from fcn_tutorial.errors import InputError, check_file, check_whole, explained
from fcn_tutorial.files import held, write_text, write_whole

HEADER, FOOTER = 12, 4  # bytes of a TFRecord before and after its payload
AGAIN = "write the records again"
STOPPED = "take fewer processes, as memory may be short, and start again"


class Records(Dataset):
    """A data set read from a folder, given what its index.json holds, in any order.

    `shards` are the files; `places` has of each example its file, the byte where it starts, and the
    CRC-32 of its payload.
    """

    def __init__(self, folder: Path, index: dict[str, Any]):
        self.name, self.split = str(index["name"]), str(index["split"])
        self.classes, self.palette = legend_of(index)
        self.shards = [folder / file for file in index["shards"]]
        rows = index["examples"]
        self.names = tuple(str(row["name"]) for row in rows)
        self.places = [(self.shards[row["shard"]], row["offset"], row["crc32"]) for row in rows]

    def stamp(self, index: int) -> str:
        """The CRC-32 of the example's bytes, as the index has it."""
        return str(self.places[index][2])

    def read_label(self, index: int) -> np.ndarray:
        _, ids, where = self._encoded(index)
        return read_label(ids, len(self.classes), where=where)

    def __getitem__(self, index):
        photo, ids, where = self._encoded(index)
        label = read_label(ids, len(self.classes), where=where)
        image = read_image(photo, where)
        check_sizes(image.shape[:2], label.shape, where)
        return image, label

    def _encoded(self, index):
        """The bytes of an example's image and label, and what errors call it."""
        index = range(len(self))[index]
        path, offset, crc = self.places[index]
        where = f"{self.names[index]!r} in {path}"
        tf = _tensorflow()
        check_file(path, "the shard", AGAIN)
        with explained(f"the record {where} cannot be read", f"delete the shard and {AGAIN}"):
            features = tf.train.Example.FromString(_read(path, offset, crc)).features.feature
            return *(features[key].bytes_list.value[0] for key in ("image", "label")), where


def open_records(folder: str | os.PathLike) -> Records:
    """Open a folder of records, as a data set equal to the one that they were written from.

    Raises:
        InputError: its index is missing or broken.
    """
    path = Path(folder) / "index.json"
    check_file(path, "the index of the records", "write them first, or again if that was stopped")
    with explained(f"{path} is broken", AGAIN):
        return Records(Path(folder), json.loads(path.read_text(encoding="utf-8")))


def write_records(
    dataset: Dataset, folder: Path | str, shards: int = 8, processes: int = 1, progress=False
) -> Records:
    """Write a data set as records; shards that a stopped process left are replaced.

    Args:
        dataset: what to write.
        folder: where to; made if it is missing.
        shards: number of files, at most one for each example.
        processes: how many write at the same time, each a shard of its own.
        progress: whether to show a bar.

    Returns:
        `open_records(folder)`.

    Raises:
        InputError: a number out of range, a folder with other records or in use, a damaged example.
    """
    folder = Path(folder)
    check_examples(dataset)
    check_whole("shards", shards, 1, len(dataset))
    check_whole("processes", processes, 1)
    parts = np.array_split(np.arange(len(dataset)), shards)
    files = [f"{shard:05d}-of-{shards:05d}.tfrecord" for shard in range(shards)]
    jobs = [(dataset, part, folder / file) for part, file in zip(parts, files, strict=True)]
    with held(folder, "records.lock", "written to"):
        _check_folder(folder, dataset, files)
        with tqdm(total=len(dataset), desc="records", disable=not progress) as bar:
            rows = _write_shards(jobs, processes, bar)
        index = {
            "name": dataset.name,
            "split": dataset.split,
            "classes": list(dataset.classes),
            "palette": dataset.palette.tolist(),
            "void": VOID,
            "shards": files,
            "examples": [row | {"shard": i} for i, part in enumerate(rows) for row in part],
        }
        write_text(folder / "index.json", json.dumps(index))
    return open_records(folder)


def _tensorflow():
    advice = "install it, or use the data set's own files instead"
    with explained("records need TensorFlow", advice, (ImportError,)):
        import tensorflow as tf
    return tf


def _check_folder(folder, dataset, files):
    """Make sure that what the folder holds are records of this data set, if any."""
    others = {path.name for path in folder.glob("[0-9]*.tfrecord")} - set(files)
    if others:
        raise InputError(f"{folder} holds another shard, {min(others)}: choose another folder.")
    try:
        found = open_records(folder)
    except InputError:  # missing or broken: it is written again
        return
    ours, theirs = ((each.name, each.split, *each.names) for each in (dataset, found))
    if theirs != ours:
        raise InputError(f"{folder} holds records of {found!r}: choose another folder.")


def _write_shards(jobs, processes, bar):
    """Write all shards; returns for each of them the rows of its examples in the index."""
    if min(processes, len(jobs)) == 1:
        return [_write_shard(*job, advance=bar.update) for job in jobs]
    # To fork a process that runs TensorFlow's threads can hang, so each starts from nothing.
    context = multiprocessing.get_context("spawn")
    broken = explained("a process that wrote records was killed", STOPPED, (BrokenProcessPool,))
    found = []
    with broken, ProcessPoolExecutor(min(processes, len(jobs)), context) as pool:
        for rows in pool.map(_write_shard, *zip(*jobs, strict=True)):
            found.append(rows)
            bar.update(len(rows))
    return found


def _write_shard(dataset, indices, path, advance=lambda count: None):
    """Write the examples at `indices` into one file; returns their rows of the index."""
    tf, rows = _tensorflow(), []

    def write(temporary):
        offset = 0
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for index in indices:
                payload = _payload(dataset, index)
                writer.write(payload)
                place = {"offset": offset, "crc32": zlib.crc32(payload)}
                rows.append({"name": dataset.names[index], **place})
                offset += HEADER + len(payload) + FOOTER
                advance(1)

    write_whole(path, write)
    return rows


def _payload(dataset, index):
    """An example as bytes."""
    # Reading the example also makes sure that its files are complete and of one size.
    image, label = dataset[index]
    file = dataset.image_file(index)
    example = _tensorflow().train.Example()
    for key, value in (
        ("name", dataset.names[index].encode()),
        ("image", file.read_bytes() if file else encode_png(image)),
        ("label", encode_png(label)),  # grey, as TensorFlow reads a palette PNG as colours
    ):
        example.features.feature[key].bytes_list.value.append(value)
    return example.SerializeToString(deterministic=True)


def _read(path, offset, crc):
    """The payload of the record that starts at a byte of a shard, checked against its CRC."""
    with path.open("rb") as file:
        file.seek(offset)
        length = int.from_bytes(file.read(HEADER)[:8], "little")
        # A damaged length could ask for more memory than there is.
        payload = file.read(min(length, path.stat().st_size))
    # Against the index, since Python has no fast function for the record's own CRC-32C.
    if zlib.crc32(payload) != crc:
        raise ValueError("it is damaged")
    return payload
