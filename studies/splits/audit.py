"""Count the names that lists of training and validation images share.

    python benchmarks/audit_splits.py FOLDER

FOLDER holds the lists, one name a line, under the file names in LISTS. Writes
results/splits/audit.json: for each list its size and the sha256 of its files, for each pair of
lists how many names are in both, with three of them.
"""

import hashlib
import json
import sys
from itertools import combinations
from pathlib import Path

from fcn_tutorial.data.dataset import overlap
from fcn_tutorial.errors import InputError

OUTPUT = Path(__file__).with_suffix(".json")
LISTS = {
    "VOC 2012 train": ["voc2012_train.txt"],
    "VOC 2012 val": ["voc2012_val.txt"],
    "VOC 2012 trainaug": ["voc2012_trainaug.txt"],
    "seg11valid": ["seg11valid.txt"],
    # https://github.com/kevinddchen/Keras-FCN: one list for the images with labels in .mat files,
    # one for those with labels in .png files; training uses both.
    "Keras-FCN train": ["keras_fcn_train_mat.txt", "keras_fcn_train_png.txt"],
    "Keras-FCN val": ["keras_fcn_val_mat.txt"],
}


def read_lists(folder):
    """{title: (set of names, {file: sha256})}; raises InputError for a file that is missing."""
    lists = {}
    for title, files in LISTS.items():
        paths = [Path(folder) / file for file in files]
        for path in paths:
            if not path.is_file():
                raise InputError(f"the list {path} is missing: give the folder that holds it.")
        names = {name for path in paths for name in path.read_text().split()}
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
        lists[title] = names, digests
    return lists


def audit(folder):
    """What the audit of the lists in a folder finds, as it is written to the file."""
    lists = read_lists(folder)
    pairs = []
    for (one, (names, _)), (other, (other_names, _)) in combinations(lists.items(), 2):
        shared = overlap(names, other_names)
        pairs.append({"lists": [one, other], "shared": len(shared), "examples": shared[:3]})
    return {
        "command": "python benchmarks/audit_splits.py FOLDER",
        "lists": {
            title: {"size": len(names), "sha256": digests}
            for title, (names, digests) in lists.items()
        },
        "pairs": pairs,
    }


def main(folder):
    found = audit(folder)
    for pair in found["pairs"]:
        one, other = pair["lists"]
        sizes = [found["lists"][title]["size"] for title in pair["lists"]]
        print(f"{one} ({sizes[0]}), {other} ({sizes[1]}): {pair['shared']} in both")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Wrote {OUTPUT}.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/audit_splits.py FOLDER")
    try:
        main(sys.argv[1])
    except InputError as error:
        sys.exit(f"audit_splits.py: {error}")
