"""How a run fails: by what it was told, or by what it met."""

from __future__ import annotations


class ConfigError(Exception):
    """The config can't be run here and now: on these ranks, this tokenizer, or in this run folder."""


class RunFailed(Exception):
    """The run had to stop; the message says where it stands and what to look at."""
