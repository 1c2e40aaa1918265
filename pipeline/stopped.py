"""What stops a build that is itself in order: its message is all there is to know."""

from __future__ import annotations


class BuildStopped(Exception):
    """The task can't be done, and the message says why and how to mend it.

    It is shown alone, since a traceback would send the reader to our code, and the fault lies in the set-up or in a
    file. Anything else that a task raises is shown with its traceback.
    """


def told(error: BaseException, traceback: str) -> str:
    """What a user is told of an exception that ended a task; `traceback` ends with the exception's own line."""
    if isinstance(error, BuildStopped):
        return str(error)
    return f"{type(error).__name__}: {error}\n{traceback}"
