"""An encoder runs on packages that come with an extra, and says which one where they are lacking."""

from __future__ import annotations


class MissingExtraError(ImportError):
    """The packages of an extra are not installed."""
