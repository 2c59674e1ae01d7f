"""The package: light to import, and its public names are what they say."""

import inspect
import subprocess
import sys

import pytest

import fcn_tutorial as fcn


def test_import_loads_no_framework():
    code = (
        "import sys, fcn_tutorial; "
        "print(*{'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "best.keras"
    fcn.build_fcn("dilated16", 3, "vgg_narrow", enlarge=2).save(path)
    return path


@pytest.mark.parametrize(
    "imports",
    [
        "import keras, fcn_tutorial",
        "import fcn_tutorial as fcn; fcn.receptive_field; import keras",
        "import fcn_tutorial.errors; from keras import models; import keras",
    ],
)
@pytest.mark.slow
def test_keras_opens_our_models_after_the_import_in_a_fresh_process(saved, imports):
    code = f"{imports}; print(keras.models.load_model({str(saved)!r}).output_shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(None, None, None, 3)"


@pytest.mark.parametrize("name", fcn.__all__)
def test_every_public_name_is_listed_callable_and_documented(name):
    assert name in dir(fcn)
    public = getattr(fcn, name)
    assert callable(public)
    assert inspect.getdoc(public)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = fcn.no_such_name
