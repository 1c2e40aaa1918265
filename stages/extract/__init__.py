"""Text from records: HTML through a guarded extractor, plain text by decoding, text that is there already as it is."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lauter.stages.extract.stage import Extract, ExtractConfig

__all__ = ["Extract", "ExtractConfig"]


def __getattr__(name: str) -> object:
    # On demand: the child process imports this package too, and needs neither pyarrow nor numba (1 s and 150 MB).
    if name in __all__:
        return getattr(importlib.import_module("lauter.stages.extract.stage"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
