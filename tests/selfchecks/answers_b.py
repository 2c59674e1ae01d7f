"""Answers to the exercises of appendix B."""

RIGHT = {"B.1": [16, 16.0], "B.2": [(5, 9, 28), [5.0, 9.0, 28.0]]}
WRONG = {"B.1": [19, 22, -16], "B.2": [(5, 9, 31), (2, 6, 28), (5, 9)]}
