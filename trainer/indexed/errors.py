"""How token data of others fails to be read or written."""

from __future__ import annotations


class TokenDataError(Exception):
    """Files that can't be taken over or would be overwritten: what, where, and how to mend it."""
