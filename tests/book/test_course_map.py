"""The course map is stored as it is drawn, and the first page's picture is the same drawing."""

import json
import re

import course_map
import pytest

from fcn_tutorial.diagrams.networks import COURSE_MAP

PHOTO = re.compile(r"base64,[^\"\\]*")  # files of pictures differ between versions of Pillow


def test_the_picture_of_the_first_page_shows_the_stored_drawing():
    stored = json.loads(COURSE_MAP.read_text(encoding="utf-8"))
    picture = course_map.PICTURE.read_text(encoding="utf-8")
    assert all(mark in picture for _, mark in stored["marks"])


@pytest.mark.slow
def test_drawing_it_again_changes_nothing(tmp_path, monkeypatch):
    files = {name: tmp_path / name for name in ("COURSE_MAP", "PICTURE")}
    for name, path in files.items():
        monkeypatch.setattr(course_map, name, path)
    before = [path.read_text(encoding="utf-8") for path in (COURSE_MAP, course_map.PICTURE)]
    course_map.main()
