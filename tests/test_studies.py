"""The studies: scores follow from confusion matrices, tables from the studies."""

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tables

import fcn_tutorial as fcn
from fcn_tutorial import runs
from fcn_tutorial.cli.train import _changes
from fcn_tutorial.runs import METRICS, STUDIES, read_table

ROOT = Path(__file__).resolve().parents[1]

RUNS = sorted(runs._runs_of_record())
KEPT = ("*/*.csv", "*/*.json", "*/*.toml", "*/photos/*", "*/gallery/*")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_record_is_complete_and_its_scores_follow_from_its_confusion_matrices(name):
    record = fcn.run_of_record(name)
    assert len(record.history) == record.recipe.epochs
    assert "scores" in record.scores
    run = name.removeprefix(f"{record.folder.name}/")
    rows = [row for row in read_table(record.folder / "table.csv") if row["run"] == run]
    assert {row["scores"] for row in rows} == set(record.scores)
    for row in rows:
        scores = record.scores[row["scores"]]
        recorded = [getattr(scores, metric) for metric in METRICS]
        assert [row[metric] for metric in METRICS] == pytest.approx(recorded, rel=1e-12)
        assert len(scores.iou) == len(record.classes)
    best = max(record.history, key=lambda row: row["val_mean_iou"])
    kept = record.history[-1] if record.recipe.keep == "last" else best
    first = next(row for row in rows if row["scores"] == "scores")
    assert (first["epoch"], first["mean_iou"]) == (kept["epoch"], kept["val_mean_iou"])


def test_runs_by_shipped_recipes_have_the_recipes_as_they_are_now():
    seeds = {f"camvid_seed{seed}": fcn.Recipe.load("camvid", seed=seed) for seed in (1, 2)}
    names = "camvid", "camvid_enlarged", "camvid_efficientnet", "voc_efficientnet_fcn8s"
    shipped = {name: fcn.Recipe.load(name) for name in names}
    shipped |= {f"shapes_fcn{n}s": fcn.Recipe.load(f"shapes_fcn{n}s") for n in (8, 16, 32)}
    for name, recipe in (seeds | shipped).items():
        assert fcn.run_of_record(name).recipe == recipe


def test_a_table_names_images_by_their_names():
    for row in read_table(STUDIES / "voc_efficientnet" / "gallery.csv"):
        assert re.fullmatch(r"200[78]_\d{6}", row["image"]) and 0 < row["mean_iou"] < 1


@pytest.mark.parametrize("path", tables.PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_generating_the_tables_changes_nothing(path):
    text = path.read_text(encoding="utf-8")
    assert tables.BLOCK.search(text)
    assert tables.page(text) == text, "run make tables"


LEDGER = tables.ledger_lines()


@pytest.mark.parametrize("row", LEDGER, ids=lambda row: f"{row['method']}, {row['source']}")
def test_a_published_number_has_a_command_that_the_project_knows(row):
    assert any(row[metric] for metric in METRICS) and row["note"]
    for command in row["command"].split("; "):
        check_command(command)


ANSWERED = [row for row in LEDGER if row["answer"]]


@pytest.mark.parametrize("row", ANSWERED, ids=lambda row: f"{row['method']}, {row['source']}")
def test_a_number_of_ours_says_how_many_images_it_was_trained_and_scored_on(row):
    kind, name, key = re.match(r"(\w+)\[(.*?)\](?:\.scores)?\[(.*?)\]", row["answer"]).groups()
    if kind == "files":
        images = tables.NUMBERS[kind][name]["images"]
    else:
        record = fcn.run_of_record(name)
        rows = read_table(record.folder / "table.csv")
        run = name.removeprefix(f"{record.folder.name}/")
        images = next(int(x["examples"]) for x in rows if (x["run"], x["scores"]) == (run, key))
        assert re.search(r"\d", row["our_training"])
        assert row["our_training"].startswith(str(record.recipe.limit or ""))
    assert re.search(rf"\b{images}\b", row["our_images"])


@pytest.mark.parametrize("name", tables.studies_by_name())
def test_a_study_has_a_folder_and_commands_that_exist(name):
    assert (ROOT / "studies" / name.partition("/")[0]).is_dir()
    for command in tables.studies_by_name()[name]["command"].split("; "):
        check_command(command)


def trained_by(command):
    """The run folder that a command trains into; None where it trains none."""
    program, verb, *rest = shlex.split(command)
    if (program, verb) != ("fcn-tutorial", "train"):
        return None
    return rest[rest.index("--output") + 1] if "--output" in rest else f"runs/{rest[0]}"


def test_no_two_published_numbers_are_trained_into_one_folder_in_different_ways():
    commands = [command for row in LEDGER for command in row["command"].split("; ")]
    first = {}
    for command in filter(trained_by, commands):
        assert first.setdefault(trained_by(command), command) == command


@pytest.mark.parametrize("name", tables.studies_by_name())
def test_a_study_evaluates_only_runs_that_it_trains(name):
    commands = tables.studies_by_name()[name]["command"].split("; ")
    trained = set(filter(None, map(trained_by, commands)))
    for command in commands:
        if command.startswith("fcn-tutorial evaluate"):
            assert {word for word in shlex.split(command) if word.startswith("runs/")} <= trained


def check_command(command):
    program, verb, *rest = (word for word in shlex.split(command) if not re.match("[A-Z_]+=", word))
    if (program, verb) == ("fcn-tutorial", "train"):
        sets = [rest[place + 1] for place, word in enumerate(rest) if word == "--set"]
        fcn.Recipe.load(rest[0], **_changes(sets))
    elif program == "python":
        assert verb == "-m" and (ROOT / f"{rest[0].replace('.', '/')}.py").is_file()
    elif program == "make":
        assert re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(), re.M)
    else:
        assert (program, verb) == ("fcn-tutorial", "evaluate")


def test_every_study_stands_in_the_table():
    paths = [path for path in STUDIES.glob("*/*.py") if "__main__" in path.read_text()]
    scripts = {f"{path.parent.name}/{path.stem}" for path in paths}
    runs_of = {f"{folder.name}/run" for folder, _ in runs._runs_of_record().values()}
    named = {name if "/" in name else f"{name}/run" for name in tables.studies_by_name()}
    assert named == (scripts | runs_of)


@pytest.mark.slow
def test_a_wheel_holds_what_the_library_reads(tmp_path):
    source = tmp_path / "source"  # since setuptools leaves a folder behind
    for name in ("fcn_tutorial", "studies"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = ["pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]
    subprocess.run([sys.executable, "-m", *command], check=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    library = [path for path in (source / "fcn_tutorial").rglob("*") if path.is_file()]
    assert {path.relative_to(source).as_posix() for path in library} <= names
    kept = [path for pattern in KEPT for path in (source / "studies").glob(pattern)]
    assert any(path.suffix == ".jpg" for path in kept)
    assert {f"fcn_tutorial/{path.relative_to(source).as_posix()}" for path in kept} <= names
