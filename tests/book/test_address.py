"""One address of the repository and one version of the course, wherever they are named."""

import re
import shutil
import subprocess
import sys

import yaml
from address import forms, project, texts
from rules import ROOT

import fcn_tutorial as fcn

ADDRESS, VERSION = project()
NEW = "/".join(["https://github.com", "some-one", "Other.Book_2"])  # not one that is replaced
ON_GITHUB = re.compile(r"(?:github\.com|google\.com/github|v2/gh)/([\w-]+)/([\w.-]*\w)")


def test_no_text_names_another_owner_or_another_repository_of_the_owner():
    owner, repository = ADDRESS.split("/")[-2:]
    for path in texts(ROOT):
        for found in ON_GITHUB.findall(path.read_text(encoding="utf-8")):
            ours = found[0] == owner or found[1].removesuffix(".git") == repository
            assert not ours or found == (owner, repository), path


def test_the_version_is_the_same_everywhere():
    assert fcn.__version__ == VERSION
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    assert repository == {"url": ADDRESS, "branch": f"v{VERSION}"}


def test_a_new_address_and_a_new_version_reach_every_text(tmp_path):
    for path in texts(ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(f'version = "{VERSION}"', 'version = "9.8"'))
    subprocess.run([sys.executable, "tools/address.py", NEW], cwd=tmp_path, check=True)
    changed = {path: path.read_text(encoding="utf-8") for path in texts(tmp_path)}
    assert not [path for path in changed for old in forms(ADDRESS) if old in changed[path]]
    assert '__version__ = "9.8"' in changed[tmp_path / "fcn_tutorial" / "__init__.py"]
    assert "branch: v9.8" in changed[tmp_path / "_config.yml"]
    assert "version: 9.8" in changed[tmp_path / "CITATION.cff"]
    for chapter in (tmp_path / "book" / "chapters").glob("*.ipynb"):
        assert f"{NEW}/archive/refs/tags/v9.8.tar.gz" in changed[chapter]
