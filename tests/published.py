"""The mark of tests that need published files in the folder that FCN_DATA names."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("FCN_DATA", "nowhere"))


def needs(name):
    reason = f"needs {name} in the folder that FCN_DATA names"
    return pytest.mark.skipif(not (DATA / name).exists(), reason=reason)
