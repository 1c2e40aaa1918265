"""The batch size's ramp, in tokens."""

from __future__ import annotations

from lauter.trainer.config.sections import BatchSection


def sequences_at(section: BatchSection, tokens: int) -> int:
    """Sequences, over all ranks, of the step that begins after so many tokens.

    The last ramp entry whose `from_tokens` has been reached, otherwise `sequences`. Samples and tokens are counted, not
    steps, so the order of samples does not depend on the ramp.
    """
    reached = [entry.sequences for entry in section.ramp if entry.from_tokens <= tokens]
    return reached[-1] if reached else section.sequences
