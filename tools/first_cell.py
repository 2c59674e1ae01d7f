# @title Run this first: it installs the course's library where that is missing
import os
import subprocess
import sys
from importlib import import_module, invalidate_caches, metadata, util

VERSION, ADDRESS = "0.2.0", "https://github.com/fcn-tutorial/fcn-tutorial"


def to_keep():
    found = {d.name: d.version for d in reversed(list(metadata.distributions()))}
    return [f"{name}=={found[name]}" for name in ("tensorflow", "keras", "numpy") if name in found]


if util.find_spec("fcn_tutorial") is None:
    kept, release = to_keep(), f"{ADDRESS}/archive/refs/tags/v{VERSION}.tar.gz"
    source = os.environ.get("FCN_TUTORIAL_SOURCE", release)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", source, *kept]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode or to_keep() != kept:
        raise RuntimeError(f"pip could not install {source} and keep {kept}: {done.stderr}")
    print(f"Installed {source}, and kept", *kept)
    invalidate_caches()
if (found := import_module("fcn_tutorial").__version__) != VERSION:
    raise RuntimeError(f"This chapter needs fcn-tutorial {VERSION}, not the installed {found}.")
