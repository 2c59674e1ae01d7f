"""The package: light to import, and its public names are what they say."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.training import compiled_model


def output_of(code, folder):
    """What Python prints that runs some code in a folder."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_import_loads_no_framework(tmp_path):
    loaded = output_of("import sys, fcn_tutorial; print(*sys.modules)", tmp_path).split()
    assert not {"tensorflow", "keras", "torch", "jax"} & set(loaded)


@pytest.mark.parametrize(
    "imports",
    [
        "import fcn_tutorial as fcn; fcn.receptive_field; import keras",
        "import fcn_tutorial.errors; from keras import models; import keras",
    ],
)
@pytest.mark.slow
def test_keras_opens_our_models_after_the_import_in_a_fresh_process(tmp_path, imports):
    fcn.build_fcn("dilated16", 3, "vgg_narrow", enlarge=2).save(tmp_path / "best.keras")
    code = f"{imports}; print(keras.models.load_model('best.keras').output_shape)"
    assert output_of(code, tmp_path).strip() == "(None, None, None, 3)"


@pytest.mark.slow
def test_keras_opens_a_compiled_model_and_trains_it_on_as_before(tmp_path):
    options = {"backbone": "vgg_narrow", "weights": "none", "dropout": 0, "jaccard": 0.5}
    recipe = fcn.Recipe(dataset="shapes", trunk_learning_rate=0.1, weight_decay=0.1, **options)
    model = compiled_model(recipe, 6, 10)
    images, labels = np.zeros((2, 32, 32, 3)), np.ones((2, 32, 32), np.uint8)
    model.train_on_batch(images, labels)
    model.save(tmp_path / "compiled.keras")
    np.savez(tmp_path / "batch.npz", images, labels)
    code = (
        "import keras, numpy, fcn_tutorial; model = keras.models.load_model('compiled.keras'); "
        "losses = [model.train_on_batch(*numpy.load('batch.npz').values())[0] for _ in range(3)]; "
        "print(*losses, *sorted(model.optimizer.rates.values()))"
    )
    found = [float(number) for number in output_of(code, tmp_path).split()]
    losses = [model.train_on_batch(images, labels)[0] for _ in range(3)]
    assert found == pytest.approx([*losses, *sorted(model.optimizer.rates.values())], rel=1e-3)


@pytest.mark.parametrize("name", fcn.__all__)
def test_every_public_name_is_listed_callable_and_documented(name):
    public = getattr(fcn, name)
    assert name in dir(fcn) and callable(public) and inspect.getdoc(public)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = fcn.no_such_name
