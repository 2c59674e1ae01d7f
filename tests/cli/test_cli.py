"""The command line: what it prints and writes, and how it answers bad input."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial import cli
from fcn_tutorial.data import camvid

RECIPE = """
dataset = "shapes"
backbone = "vgg_narrow"
weights = "none"
crop_size = 32
batch_size = 2
steps_per_epoch = 1
"""


@pytest.fixture
def call(command_line):
    """Run a command; returns exit code, what it printed and its last line on stderr."""

    def run(*arguments):
        code, out, err = command_line(*arguments)
        lines = err.splitlines()
        complaints = [line for line in lines if line.strip() and "%|" not in line]
        assert len(complaints) == (code == 2) or "Usage" in err, complaints
        return code, out, (lines or [""])[-1]

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a quick run."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "quick.toml").write_text(RECIPE)
    quick = replace(fcn.Recipe.load(folder / "quick.toml"), epochs=1, limit=2)
    return fcn.train(quick, folder / "run", verbose=0).folder


def test_train_writes_a_run_and_says_where(call, tmp_path):
    (tmp_path / "quick.toml").write_text(RECIPE)
    code, out, _ = call(
        "train", tmp_path / "quick.toml", "--output", tmp_path / "run", "--epochs", 1, "--limit", 2
    )
    assert code == 0
    assert f"Wrote the run to {tmp_path / 'run'}" in out
    assert fcn.load_run(tmp_path / "run").recipe.limit == 2


def test_train_takes_other_values_and_writes_below_runs(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.toml").write_text(RECIPE)
    changes = ("--set", "epochs=1", "--set", "scale=[0.5, 2]", "--set", "optimizer=sgd")
    code, out, _ = call("train", "quick.toml", "--limit", 2, *changes)
    assert code == 0 and "Wrote the run to runs/quick" in out
    recipe = fcn.load_run("runs/quick").recipe
    assert (recipe.epochs, recipe.scale, recipe.optimizer) == (1, (0.5, 2.0), "sgd")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--set", "limit=3", "--limit", 2, "--set", "variant=no"), "unknown variant 'no'"),
        (("--set", "source=x"), "unknown key 'source'"),
        (("--set", "epochs=" + "1" * 5000), "'epochs' must be"),
        (("--set", "epochs=" + "[" * 5000), "'epochs' must be"),
        (("--set", "epochs=2\nbatch_size=3"), "'epochs' must be"),
        (("--set", "initial=runs/a", "--weights", "b.h5"), "recipe shapes goes on from runs/a"),
    ],
)
def test_train_takes_any_key_to_set(call, tmp_path, options, said):
    code, _, error = call("train", "shapes", "--output", tmp_path / "run", *options)
    assert code == 2 and said in error


def test_evaluate_prints_a_table_with_the_baseline_beside_it(call, trained):
    code, out, _ = call("evaluate", trained, "--limit", 3)
    assert code == 0
    rows = {line[:24].strip(): line for line in out.splitlines()}
    assert "always background" in out
    for name in ("background", "disc", "cross"):
        assert rows[f"IoU {name}"].count("%") == 2
    assert rows["mean IoU"].count("%") == 2
    assert (trained / "scores-shapes-test-first3.json").is_file()


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_segment_takes_images_of_every_mode(call, trained, tmp_path, mode):
    photo = tmp_path / "photo.tif"
    Image.fromarray(np.zeros((9, 14, 3), np.uint8)).convert(mode).save(photo)
    code, out, _ = call("segment", trained, photo, "--output", tmp_path / "out")
    assert code == 0
    assert str(tmp_path / "out") in out
    label = Image.open(tmp_path / "out" / "photo-label.png")
    assert (label.mode, label.size) == ("P", (14, 9))
    assert Image.open(tmp_path / "out" / "photo-overlay.png").size == (14, 9)
    assert (tmp_path / "out" / "legend.png").is_file()


def test_segment_takes_a_folder_and_an_image_of_one_pixel(call, trained, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (1, 1)).save(tmp_path / "photos" / name)
    code, _, _ = call("segment", trained, tmp_path / "photos", "--output", tmp_path / "out")
    assert code == 0
    assert Image.open(tmp_path / "out" / "b-label.png").size == (1, 1)


@pytest.mark.parametrize("name", ["a-label.png", "legend.png"])
def test_a_photo_is_not_written_over(call, trained, tmp_path, name):
    for each in ("a.png", name):
        Image.new("RGB", (4, 4)).save(tmp_path / each)
    before = (tmp_path / name).read_bytes()
    code, _, error = call("segment", trained, tmp_path, "--output", tmp_path)
    assert code == 2 and f"{tmp_path / name} would be written over" in error
    assert (tmp_path / name).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.png", name])


def test_what_was_written_before_a_bad_image_stays(call, trained, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("no image")
    images = tmp_path / "good.png", tmp_path / "bad.png"
    code, _, error = call("segment", trained, *images, "--output", tmp_path / "out")
    assert code == 2
    assert "bad.png cannot be read" in error
    assert (tmp_path / "out" / "good-label.png").is_file()


@pytest.fixture(scope="module")
def camvid_run(trained, tmp_path_factory):
    """A run whose model has CamVid's eleven classes."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("camvid") / "run")
    model = fcn.build_fcn("fcn32s", 11, backbone="vgg_narrow")
    model.save(folder / "checkpoints" / "best.keras")
    legend = {"classes": camvid.CLASSES, "palette": camvid.PALETTE}
    (folder / "classes.json").write_text(json.dumps(legend))
    return folder


def test_a_run_is_opened_by_a_program_that_has_used_nothing_else(trained):
    program = "import sys, fcn_tutorial as fcn; print(fcn.load_run(sys.argv[1]).model.name)"
    done = subprocess.run(
        [sys.executable, "-c", program, trained], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == fcn.load_run(trained).model.name


def test_a_run_is_exported(call, trained, tmp_path):
    path = tmp_path / "net.tflite"
    code, printed, _ = call("export", trained, "--output", path, "--size", 64)
    assert code == 0 and f"Wrote {path} ({path.stat().st_size:,} bytes)" in printed
    legend = json.loads(path.with_suffix(".json").read_text())
    assert legend["classes"] == list(fcn.load_run(trained).classes)
    code, _, error = call("export", trained, "--format", "onnx", "--output", path)
    assert code == 2 and f"a file of format onnx ends in .onnx, got '{path}'" in error
    code, _, error = call("export", trained, "--format", "pb")
    assert code == 2 and "--format must be one of litert, onnx, got 'pb'" in error


def test_a_run_is_exported_as_onnx(call, trained):
    code, printed, error = call("export", trained, "--format", "onnx")
    path = trained / "fcn8s.onnx"
    assert code == 0 and f"Wrote {path} ({path.stat().st_size:,} bytes)" in printed
    assert "Warning" not in error


DAMAGE = {
    "test/test0.png is missing": lambda f: (f / "test/test0.png").unlink(),
    "test/test0.png cannot be read": lambda f: (f / "test/test0.png").write_bytes(b"\x89PNG"),
    "testannot/test0.png is 9 x 5": lambda f: Image.new("L", (9, 5)).save(
        f / "testannot/test0.png"
    ),
    "testannot/test0.png has class id 12": lambda f: Image.new("L", (64, 48), 12).save(
        f / "testannot/test0.png"
    ),
    "test.txt is empty": lambda f: (f / "test.txt").write_text(""),
    "test.txt is missing": lambda f: (f / "test.txt").unlink(),
}


@pytest.mark.parametrize("sentence", DAMAGE)
def test_damaged_data_ends_evaluation_with_the_name_of_the_file(
    call, camvid_run, camvid_root, monkeypatch, sentence
):
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    DAMAGE[sentence](camvid_root / "CamVid")
    code, _, error = call("evaluate", camvid_run, "--dataset", "camvid")
    assert code == 2
    assert sentence in error
    assert not (camvid_run / "scores-camvid-test.json").exists()


def test_whole_data_is_evaluated_on_the_chosen_split(call, camvid_run, camvid_root, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    code, out, _ = call("evaluate", camvid_run, "--dataset", "camvid", "--split", "val")
    assert code == 0
    assert "IoU bicyclist" in out and "always" in out
    scores = json.loads((camvid_run / "scores-camvid-val.json").read_text())
    assert (scores["split"], scores["examples"]) == ("val", 3)


def test_a_model_with_other_classes_is_not_evaluated(call, trained, camvid_root, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    code, _, error = call("evaluate", trained, "--dataset", "camvid")
    assert code == 2
    assert "the model has 6 classes, but 'camvid' has 11" in error


@pytest.mark.parametrize("command", ["evaluate", "segment"])
def test_a_corrupted_model_is_named(call, trained, tmp_path, command):
    folder = shutil.copytree(trained, tmp_path / "run")
    best = folder / "checkpoints" / "best.keras"
    best.write_bytes(best.read_bytes()[:5000])
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    photo = [tmp_path / "photo.png", "--output", tmp_path / "out"] if command == "segment" else []
    code, _, error = call(command, folder, *photo)
    assert code == 2
    assert "best.keras cannot be loaded" in error


def test_training_again_goes_on_without_writing_over_the_run(call, trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "run")
    best = (folder / "checkpoints" / "best.keras").read_bytes()
    code, out, _ = call(
        "train", folder.parent / "run" / "recipe.toml", "--output", folder, "--epochs", 1
    )
    assert code == 0
    assert "(epoch 1)" in out
    assert (folder / "checkpoints" / "best.keras").read_bytes() == best


def test_a_stop_by_the_keyboard_says_that_the_run_stays(trained, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("fcn_tutorial.inference.evaluate", stop)
    monkeypatch.setattr(sys, "argv", ["fcn-tutorial", "evaluate", str(trained)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 130
    assert "fcn-tutorial: stopped; what was written stays." in capsys.readouterr().err


@pytest.mark.parametrize("command", [(), ("data",), ("train",), ("evaluate",), ("segment",)])
def test_help_explains_each_command(call, command):
    code, out, _ = call(*command, "--help")
    assert code == 0
    assert "Usage: fcn-tutorial" in out
    if not command:
        for name in ("train", "evaluate", "segment", "data", "doctor"):
            assert name in out


def bad_inputs(folder, run):
    """(arguments, what the sentence must say) of calls that cannot succeed."""
    (folder / "empty").mkdir()
    (folder / "file").write_text("")
    for name in ("one", "two"):
        (folder / name).mkdir()
        Image.new("RGB", (4, 4)).save(folder / name / "photo.png")
    recipes = {
        "misspelt": 'dataset = "shapes"\nvariannt = "fcn8s"',
        "variant": 'dataset = "shapes"\nvariant = "fcn4s"\nbackbone = "vgg_narrow"',
        "backbone": 'dataset = "shapes"\nbackbone = "resnet"',
        "dataset": 'dataset = "cityscapes"',
        "weights": 'dataset = "shapes"\nbackbone = "mobilenet"\nweights = "absent.h5"',
        "classes": 'dataset = "shapes"\nnum_classes = 6',
        "batch": 'dataset = "shapes"\nbatch_size = 0',
        "initial": 'dataset = "shapes"\ninitial = "absent-run"',
        "broken": 'dataset = "shapes',
    }
    for name, text in recipes.items():
        (folder / f"{name}.toml").write_text(text)

    def train(name, output="new"):
        return ["train", folder / f"{name}.toml", "--output", folder / output]

    return [
        (["train", "pascal", "--output", folder / "new"], "unknown recipe 'pascal'"),
        (train("misspelt"), "did you mean 'variant'"),
        (train("variant"), "unknown variant 'fcn4s'"),
        (train("backbone"), "unknown backbone 'resnet'"),
        (train("dataset"), "unknown data set 'cityscapes'"),
        (train("weights"), "absent.h5"),
        (train("classes"), "unknown key 'num_classes'"),
        (train("batch"), "batch.toml: 'batch_size' must be at least 1"),
        (train("initial"), "absent-run is not a finished run"),
        (train("broken"), "broken.toml is not valid TOML"),
        ([*train("variant"), "--weights", "absent.keras"], "variant"),
        (["train", "shapes", "--output", folder / "one", "--limit", 2], "no recipe.toml"),
        (["train", "shapes", "--output", run], "choose another output folder"),
        (["train", "shapes", "--output", folder / "file", "--limit", 2], "cannot be made"),
        (["train", "shapes", "--output", folder / "new", "--epochs", 0], "--epochs"),
        (["train", "shapes", "--set", "epochs"], "--set 'epochs' has no value"),
        (["train", "shapes", "--set", "epoch=1"], "did you mean 'epochs'"),
        (["train", "shapes", "--set", "epochs=many"], "'epochs' must be of type int"),
        (["evaluate", folder / "empty"], "not a finished run"),
        (["evaluate", run, "--dataset", "cityscapes"], "unknown data set"),
        (["evaluate", run, "--split", "dev"], "unknown split 'dev'"),
        (["segment", run, folder / "absent.jpg"], "absent.jpg is missing"),
        (["segment", run, folder / "empty"], "holds no image"),
        (["segment", run, folder / "one", folder / "two"], "same file"),
        (["segment", run, folder / "one", "--output", folder / "file"], "cannot be made"),
        (["data", "check", "cityscapes"], "unknown data set"),
    ]


def test_bad_input_ends_in_one_sentence_and_exit_code_2(call, trained, tmp_path):
    for arguments, sentence in bad_inputs(tmp_path, trained):
        code, _, error = call(*arguments)
        assert code == 2, arguments
        assert sentence in error or "--epochs" in map(str, arguments), (arguments, error)
    assert not (tmp_path / "new").exists()


def test_data_check_names_every_damaged_file(call, camvid_root):
    code, out, _ = call("data", "check", "camvid", "--root", camvid_root)
    assert code == 0
    assert "camvid is whole" in out
    folder = camvid_root / "CamVid"
    (folder / "train" / "train1.png").unlink()
    Image.new("L", (64, 48), 200).save(folder / "valannot" / "val2.png")
    code, out, error = call("data", "check", "camvid", "--root", camvid_root)
    assert code == 2
    assert "whole" not in out
    assert "train1.png is missing" in out
    assert "val2.png has class id 200" in out
    assert "1 file missing, 1 file damaged" in error


def test_data_records_writes_shards_and_says_where(call, camvid_root, tmp_path):
    written = ("data", "records", "camvid", "--root", camvid_root, "--output", tmp_path / "out")
    code, out, _ = call(*written, "--split", "val", "--shards", 2)
    assert code == 0
    assert (
        f"Wrote 3 examples of camvid val as 2 shards (0.0 MB) and index.json to {tmp_path}" in out
    )
    assert fcn.open_records(tmp_path / "out").names == ("val0", "val1", "val2")
    code, _, error = call(*written, "--split", "train", "--shards", 2)
    assert code == 2
    assert "holds records of <camvid val: 3 examples" in error


def test_doctor_says_what_is_there(call, camvid_root, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    code, out, _ = call("doctor")
    assert code == 0
    assert "CamVid found" in out
    monkeypatch.setenv("FCN_WEIGHTS", str(camvid_root / "none"))
    assert f"{camvid_root / 'none'} (not there)" in call("doctor")[1]
    assert "tensorflow" in out


def test_the_installed_command_answers_in_a_shell(tmp_path):
    command = [sys.executable, "-c", "from fcn_tutorial.cli import main; main()"]
    done = subprocess.run(
        [*command, "evaluate", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_data_fetch_says_where_the_data_is_and_refuses_another_name(call, tmp_path):
    (tmp_path / "VOCdevkit" / "VOC2012").mkdir(parents=True)
    code, output, _ = call("data", "fetch", "voc2012", "--root", tmp_path)
    assert code == 0 and str(tmp_path / "VOCdevkit" / "VOC2012") in output
    code, _, error = call("data", "fetch", "voc2013", "--root", tmp_path)
    assert code == 2 and "unknown data set 'voc2013'" in error
