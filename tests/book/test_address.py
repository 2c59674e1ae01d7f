"""One address of the repository and one version of the course, wherever they are named."""

import re
import shutil
import subprocess
import sys

import pytest
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


@pytest.fixture
def copy(tmp_path):
    """The texts of the project in another folder."""
    for path in texts(ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path


def make_address(folder, *arguments):
    command = [sys.executable, "tools/address.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def everything(folder):
    return "\n".join(path.read_text(encoding="utf-8") for path in texts(folder))


def test_a_new_address_replaces_the_old_one_and_nothing_else(copy):
    make_address(copy)
    before = everything(copy)
    done = make_address(copy, NEW)
    assert done.returncode == 0, done.stderr
    after = everything(copy)
    for old, new in zip(forms(ADDRESS), forms(NEW), strict=True):
        assert old not in after
        before = before.replace(old, new)
    fingerprint = re.compile(r'"fingerprint": "\w{64}"')
    assert fingerprint.sub("", after) == fingerprint.sub("", before)
    assert make_address(copy, ADDRESS).returncode == 0
    assert NEW not in everything(copy)


def test_a_new_version_reaches_library_chapters_and_launch_buttons(copy):
    pyproject = copy / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(f'version = "{VERSION}"', 'version = "9.8"'))
    assert make_address(copy).returncode == 0
    assert '__version__ = "9.8"' in (copy / "fcn_tutorial" / "__init__.py").read_text()
    assert "branch: v9.8" in (copy / "_config.yml").read_text()
    assert "version: 9.8" in (copy / "CITATION.cff").read_text()
    for chapter in (copy / "book" / "chapters").glob("*.ipynb"):
        assert "/tags/v9.8.tar.gz" in chapter.read_text(encoding="utf-8")


@pytest.mark.parametrize("wrong", ["", "http://github.com/a/b", f"{ADDRESS}/", f"{NEW}.git"])
def test_another_form_of_address_is_refused(copy, wrong):
    before = everything(copy)
    done = make_address(copy, wrong)
    assert done.returncode == 1
    assert repr(wrong) in done.stderr and "https://github.com/OWNER/NAME" in done.stderr
    assert everything(copy) == before
