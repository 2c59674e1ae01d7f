"""Write the repository's address and the version of the course wherever they are named.

python tools/address.py [https://github.com/OWNER/NAME]: pyproject.toml holds both; with an address,
that one becomes the new one. `make address URL=...` does the same.
"""

import os
import re
import sys
from pathlib import Path

import colab
from colab import project

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9_.-]+)(?<!\.git)")
SUFFIXES = {".cff", ".ipynb", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}
NOT_OURS = {".git", ".venv", "_build", "build", "node_modules", "runs"}
# The version follows this text at the start of a line.
VERSIONED = {
    "fcn_tutorial/__init__.py": '__version__ = "',
    "CITATION.cff": "version: ",
    "_config.yml": "  branch: v",
}


def forms(address):
    """How texts name the repository: on GitHub, in Colab, on Binder and on GitHub Pages."""
    owner, name = ADDRESS.fullmatch(address).groups()
    hosts = ["github.com", "colab.research.google.com/github", "mybinder.org/v2/gh"]
    return [f"{owner}.github.io/{name}", *(f"{host}/{owner}/{name}" for host in hosts)]


def texts(root=ROOT):
    """The text files of the project, the chapters last."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        found += [Path(folder, name) for name in names if Path(name).suffix in SUFFIXES]
    return sorted(found, key=lambda path: (path.suffix == ".ipynb", path))


def rename(path, old, new):
    """Replace one address by another in all its forms."""
    text = before = path.read_text(encoding="utf-8")
    for form, replacement in zip(forms(old), forms(new), strict=True):
        text = re.sub(rf"(?<![\w-]){re.escape(form)}(?![\w-])", replacement, text)
    if text != before:
        path.write_text(text, encoding="utf-8")
        print(f"Wrote {path.relative_to(ROOT)} with the address {new}")


def set_version(path, prefix, version):
    """Replace the version that follows the prefix."""
    text = path.read_text(encoding="utf-8")
    pattern = rf"^({re.escape(prefix)})[\w.+-]+"
    path.write_text(re.sub(pattern, rf"\g<1>{version}", text, flags=re.M), encoding="utf-8")


def main(arguments):
    old, version = project()
    new = arguments[0] if arguments else old
    if not ADDRESS.fullmatch(new):
        sys.exit(f"{new!r} is not the address of a repository: give https://github.com/OWNER/NAME.")
    for name, prefix in VERSIONED.items():
        set_version(ROOT / name, prefix, version)
    rename(ROOT / "pyproject.toml", old, new)
    colab.main([])
    for path in texts():
        rename(path, old, new)
    print(f"Address and version are {new} and {version} everywhere.")


if __name__ == "__main__":
    main(sys.argv[1:])
