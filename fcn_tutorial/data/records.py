"""Records: a data set in a few large files, each example with its image as the encoded file.

A folder holds shards, TFRecord files of `tf.train.Example` with the features name, image (the bytes
of a JPEG or PNG file, as they lay on the disk) and label (a greyscale PNG of ids, 255 = void), and
index.json, which is written last: it says what the data set is and where in which shard each
example lies. Whatever reads TFRecords can read the shards, too.
"""

import json
import multiprocessing
import operator
import os
import zlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fcn_tutorial.data.dataset import VOID, Dataset
from fcn_tutorial.data.images import (
    check_sizes,
    decode_image,
    decode_label,
    encode_png,
)
from fcn_tutorial.data.tfrecord import (
    FOOTER,
    HEADER,
    decode_example,
    encode_example,
    frame,
    read_frame,
)
from fcn_tutorial.errors import InputError, check_whole, reason_of
from fcn_tutorial.files import held, write_text, write_whole


def write_records(dataset, folder, shards=8, processes=1, progress=False):
    """Write a data set as records into `folder`; shards that lie there whole are kept.

    shards: number of files, at least 1 and at most one for each example. processes: how many write
    at the same time, each a shard of its own. progress: show a bar. Returns `open_records(folder)`.
    Raises InputError for a number out of range, a folder with other records or one that another
    process writes to, or a damaged example.
    """
    folder = Path(folder)
    _check_numbers(dataset, shards, processes)
    parts = np.array_split(np.arange(len(dataset)), shards)
    files = [f"{shard:05d}-of-{shards:05d}.tfrecord" for shard in range(shards)]
    with held(folder, "records.lock", "written to"):
        _write(dataset, folder, parts, files, processes, progress)
    return open_records(folder)


def _write(dataset, folder, parts, files, processes, progress):
    _prepare(folder, dataset, files)
    jobs = [(dataset, part, folder / file) for part, file in zip(parts, files, strict=True)]
    with tqdm(total=len(dataset), desc="records", disable=not progress) as bar:
        rows = _run(jobs, processes, bar)
    index = {
        "name": dataset.name,
        "split": dataset.split,
        "classes": list(dataset.classes),
        "palette": dataset.palette.tolist(),
        "void": VOID,
        "shards": files,
        "examples": [
            {"name": name, "shard": shard, "offset": offset, "crc32": crc}
            for shard in range(len(files))
            for name, offset, crc in rows[shard]
        ],
    }
    write_text(folder / "index.json", json.dumps(index))


class Records(Dataset):
    """A data set read from records; any example can be read without those before it.

    shards: paths of the files; places: for each example (shard, byte offset, CRC-32 of its bytes).
    """

    def __init__(self, folder, index):
        self.name, self.split = str(index["name"]), str(index["split"])
        self.classes = tuple(map(str, index["classes"]))
        self.palette = np.array(index["palette"], np.uint8).reshape(len(self.classes), 3)
        self.shards = [folder / file for file in index["shards"]]
        rows = index["examples"]
        self.names = tuple(str(row["name"]) for row in rows)
        self.places = [
            (self.shards[row["shard"]], int(row["offset"]), int(row["crc32"])) for row in rows
        ]

    def stamp(self, index):
        """The CRC-32 of the example's bytes, as the index has it."""
        return str(self.places[index][2])

    def encoded(self, index):
        return self._stored(index)[:2]

    def _stored(self, index):
        """The bytes of an example's image and label, and where they lie, for errors."""
        index = range(len(self))[operator.index(index)]
        path, offset, crc = self.places[index]
        where = f"{self.names[index]!r} in {path}"
        return *_features(path, offset, crc, where), where

    def __getitem__(self, index):
        photo, ids, where = self._stored(index)
        label = decode_label(ids, where, len(self.classes))
        image = decode_image(photo, where)
        check_sizes(image, label, where)
        return image, label


def open_records(folder):
    """Open a folder of records as a `Dataset`, equal to the one they were written from.

    Raises InputError when its index is missing or broken.
    """
    path = Path(folder) / "index.json"
    if not os.path.isfile(path):
        raise InputError(
            f"{folder} holds no finished records: {path} is missing; write them first."
        )
    try:
        return Records(Path(folder), json.loads(path.read_text(encoding="utf-8")))
    except Exception as error:
        # What is no index can go wrong in any way, down to brackets nested too deeply.
        raise InputError(
            f"{path} is broken ({reason_of(error)}): write the records again."
        ) from error


def _check_numbers(dataset, shards, processes):
    if len(dataset) == 0:
        raise InputError(f"data set {dataset.name!r} ({dataset.split}) has no examples.")
    check_whole("shards", shards, 1, len(dataset))
    check_whole("processes", processes, 1)


def _prepare(folder, dataset, files):
    """Make sure that what the folder holds are records of this data set, if any."""
    others = {path.name for path in folder.glob("[0-9]*.tfrecord")} - set(files)
    if others:
        raise InputError(
            f"{folder} holds other shards, such as {min(others)}: choose another folder."
        )
    if (folder / "index.json").is_file():
        try:
            found = open_records(folder)
        except InputError:  # broken: it is written anew
            return
        if (found.name, found.split, found.names) != (dataset.name, dataset.split, dataset.names):
            raise InputError(f"{folder} holds records of {found!r}: choose another folder.")


def _run(jobs, processes, bar):
    """Write all shards; returns for each of them the rows (name, offset, crc) of its examples."""
    if min(processes, len(jobs)) == 1:
        return [_write_shard(*job, advance=bar.update) for job in jobs]
    rows = [None] * len(jobs)
    # To fork a process that has TensorFlow's threads in it can hang, so each starts afresh.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(jobs)), context) as pool:
        futures = {pool.submit(_write_shard, *job): place for place, job in enumerate(jobs)}
        try:
            for future in as_completed(futures):
                rows[futures[future]] = future.result()
                bar.update(len(future.result()))
        finally:
            pool.shutdown(cancel_futures=True)
    return rows


def _write_shard(dataset, indices, path, advance=lambda count: None):
    """Write the examples at `indices` into one file; returns rows of (name, offset, crc)."""
    rows = _rows_of_whole(dataset, indices, path) or []
    if rows:
        advance(len(rows))
        return rows
    write_whole(path, lambda temporary: rows.extend(_frames(dataset, indices, temporary, advance)))
    return rows


def _frames(dataset, indices, path, advance):
    """Write the examples one after the other; yields (name, offset, crc) of each."""
    offset = 0
    with path.open("wb") as file:
        for index in indices:
            payload = _payload(dataset, index)
            file.write(frame(payload))
            yield dataset.names[index], offset, zlib.crc32(payload)
            offset += HEADER + len(payload) + FOOTER
            advance(1)


def _rows_of_whole(dataset, indices, path):
    """The rows of a shard that lies there whole and holds these very examples, else None."""
    if not path.is_file():
        return None
    rows, offset = [], 0
    try:
        with path.open("rb") as file:
            while (payload := read_frame(file)) is not None:
                # The same names may stand for other images or labels by now.
                if len(rows) == len(indices) or payload != _payload(dataset, indices[len(rows)]):
                    return None
                rows.append((decode_example(payload)["name"].decode(), offset, zlib.crc32(payload)))
                offset = file.tell()
    except (ValueError, LookupError):
        return None
    expected = [dataset.names[index] for index in indices]
    return rows if [row[0] for row in rows] == expected else None


def _payload(dataset, index):
    """The bytes of one example: its image file as it is, and its label as a PNG."""
    # Reading the example also makes sure that its files are whole and of one size.
    image, label = dataset[index]
    file = dataset.image_file(index)
    features = {
        "name": dataset.names[index].encode(),
        "image": file.read_bytes() if file else encode_png(image),
        # In greys: readers such as TensorFlow's turn the ids of a palette PNG into colours.
        "label": encode_png(label),
    }
    return encode_example(features)


def _features(path, offset, crc, where):
    """The encoded image and label of the record that starts at a byte of a shard."""
    try:
        features = decode_example(_read(path, offset, crc, where))
        return features["image"], features["label"]
    except InputError:
        raise
    except Exception as error:
        # A payload as the index has it, but from another writer.
        raise InputError(
            f"the record {where} cannot be read ({reason_of(error)}): write the records again."
        ) from error


def _read(path, offset, crc, where):
    """The payload of the record that starts at a byte of a shard, checked against its CRC."""
    if not path.is_file():
        raise InputError(f"the shard {path} is missing: write the records again.")
    with path.open("rb") as file:
        file.seek(offset)
        length = int.from_bytes(file.read(HEADER)[:8], "little")
        # A damaged length could ask for more memory than there is.
        payload = file.read(min(length, os.fstat(file.fileno()).st_size))
    # Checked against the index, since zlib's CRC takes a hundredth of the time of the record's own.
    if zlib.crc32(payload) != crc:
        raise InputError(f"the record {where} is damaged: delete the shard and write it again.")
    return payload
