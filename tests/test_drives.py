"""CamVid less one drive: what is left out is trained on nowhere, and validated on."""

import importlib.util
import json
from pathlib import Path

import fcn_tutorial as fcn

ROOT = Path(__file__).resolve().parents[1]


def benchmark():
    spec = importlib.util.spec_from_file_location("drives", ROOT / "benchmarks" / "drives.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_drive_left_out_is_the_new_validation_split(camvid_root, tmp_path):
    drives = benchmark()
    names = fcn.load_dataset("camvid", "train", root=camvid_root).names
    left_out = {name for name in names if names.index(name) % 3 == 0}
    for folder in ("train", "trainannot"):
        for name in left_out:
            path = camvid_root / "CamVid" / folder / f"{name}.png"
            path.rename(path.with_name(f"0006R0_{name}.png"))
    lines = [f"x/{'0006R0_' * (name in left_out)}{name}.png" for name in names]
    (camvid_root / "CamVid" / "train.txt").write_text("\n".join(lines) + "\n")
    made = tmp_path / "made"
    made.mkdir()
    drives.split_by_drive(camvid_root, made)
    train, val = (fcn.load_dataset("camvid", split, root=made) for split in ("train", "val"))
    assert set(val.names) == {f"0006R0_{name}" for name in left_out}
    assert set(train.names) == set(names) - left_out
    assert all(len(example) == 2 for dataset in (train, val) for example in dataset)


def test_the_runs_with_a_drive_left_out_follow_their_benchmark():
    drives = benchmark()
    for name in drives.CHANGES:
        folder = drives.RESULTS / name
        assert fcn.Recipe.load(folder / "recipe.toml") == drives.recipe_of(name)
        assert json.loads((folder / "scores.json").read_text())["examples"] == 101
        # It is another street that makes the difference, not a network that learned nothing.
        scores = fcn.run_of_record(f"camvid_drives/{name}").scores
        assert scores["scores-known"].mean_iou > scores["scores"].mean_iou + 0.1
