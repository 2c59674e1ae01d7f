"""The course map is stored as it is drawn, and the first page's picture is the same drawing."""

import json
import re
from dataclasses import asdict

import course_map
import pytest

from fcn_tutorial.diagrams.networks import COURSE_MAP

STORED = json.loads(COURSE_MAP.read_text(encoding="utf-8"))
PHOTO = re.compile("base64,[A-Za-z0-9+/=]*")  # whose bytes differ between versions of Pillow


def test_the_picture_of_the_first_page_shows_the_stored_drawing():
    picture = course_map.PICTURE.read_text(encoding="utf-8")
    assert all(mark in picture for _, mark in STORED["marks"])


@pytest.mark.slow
def test_drawing_it_again_changes_nothing():
    drawn = json.dumps(asdict(course_map.course_map()))
    assert PHOTO.sub("", drawn) == PHOTO.sub("", json.dumps(STORED))
