"""Places on earth as two numbers, exact to a house: decimal degrees, or degrees, minutes and seconds (ISO 6709)."""

from __future__ import annotations

import re

from lauter.stages.pii.recogniser import Hit

_LATITUDE = r"[-+−]?(?:90\.0{4,8}|[0-8]?[0-9]\.[0-9]{4,15})"
_LONGITUDE = r"[-+−]?(?:180\.0{4,8}|1[0-7][0-9]\.[0-9]{4,15}|[0-9]{1,2}\.[0-9]{4,15})"
_DEGREES = r"[0-9]{1,3}[ ]?°[ ]?[0-9]{1,2}[ ]?['’′][ ]?[0-9]{1,2}(?:[.,][0-9]{1,6})?[ ]?(?:[\"”″]|''|′′)[ ]?"

PATTERNS = (
    rf"(?<![0-9A-Za-z.,]){_LATITUDE}[ ]?°?[ ]?[NSns]?[ ]?[,;/ ][ ]?{_LONGITUDE}(?![0-9A-Za-z.,]{{2}})"
    r"[ ]?°?(?:[ ]?[EWOewo]\b)?",
    rf"(?<![0-9A-Za-z.,]){_DEGREES}[NSns][ ]?[,;/]?[ ]?{_DEGREES}[EWOewo](?![0-9A-Za-z])",
)
"""Four decimals are eleven metres: fewer name a town, and are left."""

_CUE = re.compile(
    r"(?i)(?:gps|coord|koord|latitud|longitud|\blat\b|\blon\b|\blng\b|geo|location|position|standort|ubicaci|координат|坐标|座標|@)"
)


def refine(hit: Hit) -> tuple[int, int] | None:
    """Take a pair in degrees, minutes and seconds, or a decimal one with a sign of what it is.

    Two decimal numbers beside each other are a table as often as a place: a compass letter, a degree sign or a word
    such as "GPS" must stand in or before them.
    """
    if "°" in hit.text or re.search("[NSEW]", hit.text) or _CUE.search(hit.before[-24:]):
        return 0, len(hit.text.rstrip())
    return None
