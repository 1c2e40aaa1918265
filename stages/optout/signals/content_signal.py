"""Content-Signal: Cloudflare's `search=yes, ai-input=yes, ai-train=no` (draft-romm-aipref-contentsignals)."""

from __future__ import annotations

import re

from lauter.stages.optout.signals.lines import Record, evidence, split_path
from lauter.stages.optout.signals.statement import Says, Statement

_EQUALS = re.compile(r" ?[=:] ?")
_DELIMITER = re.compile(r"[ ,;]+")


def signal_says(value: str) -> Says | None:
    """What the signals say of training; absence says nothing, and `no` counts where `ai-train` is repeated.

    >>> signal_says("search=yes, AI-Train=no"), signal_says("ai-train=yes"), signal_says("search=no")
    ('deny', 'allow', None)
    """
    signals = _DELIMITER.split(_EQUALS.sub("=", " ".join(value.lower().split())))
    if "ai-train=no" in signals:
        return "deny"
    return "allow" if "ai-train=yes" in signals else None


def content_signal_statements(record: Record) -> tuple[Statement, ...]:
    """The statement of one Content-Signal line; none where it leaves training out."""
    path, value = split_path(record.value)
    says = signal_says(value)
    if says is None:
        return ()
    return (Statement("content-signal", says, path, record.agents, record.number, evidence(record.text)),)
