"""The one exception that the library raises for input it cannot use."""


class InputError(ValueError):
    """Something the user gave is unusable; the message is one sentence: what, where, what to do.

    The command line prints it without a traceback and exits with code 2.
    """
