"""Self-checks of chapter 7."""


def rows_without_padding(answer):
    """Exercise 7.1: rows of pool4, score_fr and upscore2 for an image of 120 rows."""
    if tuple(answer) == (7, 3, 6):
        return None
    return "Halve 120 again and again, rounding down each time; then double the last number."


CHECKS = {"7.1": rows_without_padding}
