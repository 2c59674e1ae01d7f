"""The one exception that the library raises for input it cannot use."""

import os
import re


class InputError(ValueError):
    """Something the user gave is unusable; the message is one sentence: what, where, what to do.

    The command line prints it without a traceback and exits with code 2.
    """


def reason_of(error):
    """Why something failed, in one line, from whatever exception a library raised.

    HDF5 buries what the system said, its number or its words, in a line about its own calls.
    """
    text = str(error).strip() or type(error).__name__
    if number := re.search(r"errno = (\d+)", text):
        return os.strerror(int(number.group(1)))
    if isinstance(error, OSError) and error.strerror and error.errno:
        return error.strerror.splitlines()[0]
    return text.splitlines()[0]
