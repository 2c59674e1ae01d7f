"""Count the names that published lists of training and validation images share.

    python -m studies.splits.audit FOLDER

FOLDER holds the lists, one name a line, under the file names in LISTS. Writes for each list its
size and the sha256 of its files, for each pair of lists how many names are in both, with three of
them.
"""

import hashlib
import sys
from itertools import combinations
from pathlib import Path

from fcn_tutorial.data.dataset import overlap
from fcn_tutorial.errors import InputError
from studies.common import write

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


def audit(folder):
    """What the lists in a folder share; raises InputError for a list that is missing."""
    names, lists = {}, {}
    for title, files in LISTS.items():
        paths = [Path(folder) / file for file in files]
        for path in paths:
            if not path.is_file():
                raise InputError(f"the list {path} is missing: give the folder that holds it.")
        names[title] = {name for path in paths for name in path.read_text().split()}
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
        lists[title] = {"size": len(names[title]), "sha256": digests}
    pairs = []
    for one, other in combinations(LISTS, 2):
        shared = overlap(names[one], names[other])
        pairs.append({"lists": [one, other], "shared": len(shared), "examples": shared[:3]})
    return {"command": "python -m studies.splits.audit FOLDER", "lists": lists, "pairs": pairs}


def main(folder):
    found = audit(folder)
    for pair in found["pairs"]:
        one, other = (f"{each} ({found['lists'][each]['size']})" for each in pair["lists"])
        print(f"{one}, {other}: {pair['shared']} in both")
    write(__file__, found)


if __name__ == "__main__":
    main(*sys.argv[1:])
