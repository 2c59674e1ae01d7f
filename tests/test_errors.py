"""Messages and checks: one line of bounded length, whatever the value, the path or the error."""

import numpy as np
import pytest

from fcn_tutorial.errors import InputError, check_number, check_whole, explained, shown


def test_a_long_value_is_shortened():
    assert shown("x" * 40_000) == "'" + "x" * 39 + "..."
    assert shown([1, 2]) == "[1, 2]"
    assert "\n" not in shown(np.zeros((2, 2)))
    assert shown(10**5000).startswith("int ")  # which Python does not write


def test_a_message_of_megabytes_loses_its_middle():
    message = str(InputError(f"weights {'x' * 100_000} are missing: give a file."))
    assert len(message) < 2000 and message.startswith("weights x")
    assert message.endswith("x are missing: give a file.")


def test_a_path_cannot_break_its_sentence_or_write_to_the_terminal():
    message = str(InputError("folder a\n\x1e\x1b[31m\udcff größer\u2028b is missing."))
    assert message == r"folder a\n\x1e\x1b[31m\udcff größer\u2028b is missing."


@pytest.mark.parametrize("value", [0, 9, 1.0, True, "3", None, float("nan")])
def test_what_is_not_a_whole_number_in_range_is_refused(value):
    with pytest.raises(InputError, match=r"count.*1.*8.*got"):
        check_whole("count", value, 1, 8)
    assert type(check_whole("count", np.int64(3), 1)) is int
    assert check_whole("count", 10**9, 1) == 10**9


@pytest.mark.parametrize("value", [-0.1, 1.5, True, "3", None, float("nan"), float("inf")])
def test_what_is_not_a_number_in_range_is_refused(value):
    with pytest.raises(InputError, match=r"rate.*0.*1.*got"):
        check_number("rate", value, 0, 1)
    assert check_number("rate", np.float32(0.5), 0) == 0.5


def test_an_error_is_explained_in_one_line_and_an_input_error_passes():
    expected = pytest.raises(InputError, match=r"^a\.png cannot be read \(odd\): replace it\.$")
    with expected, explained("a.png cannot be read", "replace it"):
        raise OSError("odd\nsecond line")
    with pytest.raises(InputError, match=r"^mine$"), explained("x", "y"):
        raise InputError("mine")
    with pytest.raises(KeyError), explained("x", "y", (OSError,)):
        raise KeyError
    with pytest.raises(MemoryError), explained("x", "y"):
        raise MemoryError
