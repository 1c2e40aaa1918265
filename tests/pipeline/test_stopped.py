"""What a user is told of a task that could not be done: a sentence, or a fault of the code with its traceback."""

from __future__ import annotations

import pickle
import traceback

import pytest

from lauter.pipeline.steps.source import FileBroken
from lauter.pipeline.stopped import BuildStopped, told


@pytest.mark.parametrize("kind", [BuildStopped, FileBroken])
def test_what_is_no_fault_of_the_code_is_one_sentence(kind: type[BuildStopped]) -> None:
    # It comes from other processes.
    error = pickle.loads(pickle.dumps(kind("a.txt: was changed")))
    assert told(error, "Traceback: a.txt: was changed") == "a.txt: was changed"


def test_anything_else_has_its_kind_and_its_traceback() -> None:
    try:
        _ = dict[str, int]()["row"]
    except KeyError as error:
        said = told(error, "".join(traceback.format_exception(error)))
    assert said.startswith("KeyError: 'row'\nTraceback (most recent call last):\n")
    assert "test_stopped.py" in said and said.endswith("KeyError: 'row'\n")
