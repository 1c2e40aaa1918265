"""Warm-up, stable, decay (WSD; Hu et al., arXiv 2404.06395, section 4), in tokens."""

from __future__ import annotations

import math

from lauter.trainer.config.sections import ScheduleSection


def learning_rate(section: ScheduleSection, peak: float, tokens: int) -> float:
    """The rate of the step that begins after so many tokens.

    Linear from 0 over the warm-up, which begins at `from_tokens`; `peak`; then, x being the part of the cooldown that
    is over, from `peak` to `final_fraction` of it by 1 - sqrt(x) (Haegele et al., arXiv 2405.18392, section 3) or by
    1 - x. From `total_tokens` on it stays at the end's value. A cooldown branch of a longer run is the same function
    with `total_tokens` at the branch's end: a run's rate does not depend on its total before its cooldown.

    Args:
        section: Where the parts begin and end.
        peak: Rate of the stable part.
        tokens: `Progress.tokens`, from 0.
    """
    begun = max(tokens - section.from_tokens, 0)
    if begun < section.warmup_tokens:
        return peak * (begun / section.warmup_tokens)
    elapsed = tokens - (section.total_tokens - section.cooldown_tokens)
    if elapsed <= 0 or not section.cooldown_tokens:
        return peak
    part = min(1.0, elapsed / section.cooldown_tokens)
    left = 1 - (math.sqrt(part) if section.shape == "1-sqrt" else part)
    return peak * (section.final_fraction + (1 - section.final_fraction) * left)
