"""What stops a build that is itself in order: its message is all there is to know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class BuildStopped(Exception):
    """The task can't be done, and the message says why and how to mend it.

    It is shown alone, since a traceback would send the reader to our code, and the fault lies in the set-up or in a
    file. Anything else that a task raises is shown with its traceback.
    """


class NothingOpens(BuildStopped):
    """A stage can't be opened: no other task that needs it can be done either, so none is tried.

    Every worker opens the same stage. Without this a model that can't be had is an error of each of 90,000 files.
    """


@contextmanager
def said_by(what: str, kind: type[BuildStopped] = BuildStopped) -> Iterator[None]:
    """Raise `kind`, its message `what` and the reason, for what somebody finds wrong with his files or set-up.

    Those are `OSError`, `ImportError` and `ValueError` itself. A subclass of that (`UnicodeDecodeError`,
    `ArrowInvalid`, pydantic's) was written by a library for programmers: it stays a fault of the code.
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if isinstance(error, ValueError) and type(error) is not ValueError:
            raise
        raise kind(f"{what}: {error}") from error


def told(error: BaseException, traceback: str) -> str:
    """What a user is told of an exception that ended a task; `traceback` ends with the exception's own line."""
    if isinstance(error, BuildStopped):
        return str(error)
    return f"{type(error).__name__}: {error}\n{traceback}"
