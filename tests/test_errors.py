"""Messages: one line of bounded length, whatever the value, the path or the error."""

import pytest

from fcn_tutorial.errors import InputError, explained


def test_a_message_of_megabytes_loses_its_middle():
    message = str(InputError(f"weights {'x' * 100_000} are missing: give a file."))
    assert len(message) < 2000 and message.startswith("weights x")
    assert message.endswith("x are missing: give a file.")


def test_a_path_cannot_break_its_sentence_or_write_to_the_terminal():
    message = str(InputError("folder a\n\x1e\x1b[31m\udcff größer\u2028b is missing."))
    assert message == r"folder a\n\x1e\x1b[31m\udcff größer\u2028b is missing."


def test_an_error_is_explained_in_one_line_and_an_input_error_passes():
    expected = pytest.raises(InputError, match=r"^a\.png cannot be read \(odd\): replace it\.$")
    with expected, explained("a.png cannot be read", "replace it"):
        raise OSError("odd\nsecond line")
    with pytest.raises(InputError, match=r"^mine$"), explained("x", "y"):
        raise InputError("mine")
    with pytest.raises(KeyError), explained("x", "y", (OSError,)):
        raise KeyError
