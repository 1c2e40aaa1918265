"""The command line. Exit codes: 0 fine, 1 failed, 2 bad manifest or usage, 3 the audit found a violation.

Nothing is imported before `main` runs, and `app` when it is asked for: the commands take half a second to load, and
Ctrl-C in that time is no fault to be shown with a traceback.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
"""As `typing` has it, which takes 10 ms to import."""
if TYPE_CHECKING:
    from lauter.pipeline.cli.commands import app

__all__ = ["FAILED", "INTERRUPTED", "USAGE", "VIOLATION", "app", "main"]

FAILED, USAGE, VIOLATION, INTERRUPTED = 1, 2, 3, 130


def __getattr__(name: str) -> object:
    """`app`, the group of all commands."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lauter.pipeline.cli.commands import app

    return app


def main() -> None:
    """Entry point of the console script."""
    try:
        import signal

        ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if ours:
            # At once: an exception would be raised within some library's import, which may make another one of it.
            signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
        from pathlib import Path

        from lauter.pipeline.cli.commands import app

        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        # A manifest is usually named relative to where the user stands; so is a user's own stage.
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
