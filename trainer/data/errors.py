"""The one error of the data: everything that is wrong with it, told at once."""

from __future__ import annotations

from collections.abc import Sequence


class DataError(Exception):
    """The data can't be trained on. Holds one message a problem: what, where, and how to mend it."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class UnfitError(DataError):
    """No file is broken: the config asks for what the corpora do not have, or names one that is not finished."""
