"""How often to save: what a failure costs against what saving costs."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """Between two saves."""

    seconds: float
    lost: float
    """Share of the time that goes into saving and into work that is done again."""


def young(pause: float, mtbf: float) -> float:
    """sqrt(2 d M): seconds of work between saves that stop the run for `pause` (d), at a mean time between failures M.

    J. W. Young, "A first order approximation to the optimum checkpoint interval", CACM 17 (1974), page 530. Holds
    where d is much smaller than M.

    >>> round(young(60, 4 * 3600) / 60)
    22
    """
    return math.sqrt(2 * pause * mtbf)


def daly(pause: float, mtbf: float) -> float:
    """Young's interval with the next terms: sqrt(2 d M) (1 + sqrt(d / 2M) / 3 + d / 18M) - d; M where d >= 2 M.

    J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22 (2006), equation
    37.

    >>> round(daly(60, 4 * 3600)), round(daly(9, 4))
    (1275, 4)
    """
    if pause >= 2 * mtbf:
        return mtbf
    return young(pause, mtbf) * (1 + math.sqrt(pause / (2 * mtbf)) / 3 + pause / (18 * mtbf)) - pause


def lost(seconds: float, pause: float, mtbf: float, *, writing: float = 0.0) -> float:
    """Share of the time that saving every so many seconds costs: pause / t for the saves, t / 2M for work done again.

    Args:
        seconds: Between two saves (t).
        pause: Seconds that the run stands still for a save.
        mtbf: Seconds between failures of the whole job (M).
        writing: Seconds until an asynchronous save is whole: a failure costs as much more.
    """
    return min(1.0, pause / seconds + (seconds / 2 + writing) / mtbf)


def interval(pause: float, mtbf: float, *, writing: float = 0.0) -> Interval:
    """Daly's interval and what it costs; arguments are those of `lost`. No save begins before the last one is whole."""
    seconds = max(daly(pause, mtbf), writing, 1e-9)
    return Interval(seconds, lost(seconds, pause, mtbf, writing=writing))
