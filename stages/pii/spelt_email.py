"""E-mail addresses whose at sign or dots are written out against robots: `jane (at) example dot org`."""

from __future__ import annotations

import re
from collections.abc import Callable

from lauter.stages.pii.recogniser import Hit, Refine

_AT = (
    "at|@|arroba|arobase|arobas|chez|chiocciola|at-?zeichen|klammeraffe|ät|äd|ätt|snabel-?a|snabela|alfakrøll|krøllalfa|"
    "kukac|zavináč|zavinac|małpa|malpa|miukumauku|ät-merkki|apenstaartje|afna|maimunka|majmun|et|собака|собачка|маймунка|"
    "manki|arond|à"
)
"""What the sign is called in brackets; without brackets only `at` and `arroba` are read."""
_DOT = "dot|punkt|punto|point|ponto|punt|pont|piste|prik|tečka|tecka|bodka|kropka|nokta|točka|tocka|точка|крапка|τελεία"
_GAP = r"[ \u00a0]?"
_OPEN, _CLOSE = r"[\[({<]" + _GAP, _GAP + r"[\])}>]"

_SIGN = (
    rf"(?:{_GAP}{_OPEN}(?:{_AT}){_CLOSE}{_GAP}|&\#64;|&\#x40;|&commat;|"
    r"[ \u00a0](?:at|arroba)[ \u00a0]|[_-](?:at|arroba)[_-])"
)
_STOP = rf"(?:{_GAP}{_OPEN}(?:{_DOT}|\.){_CLOSE}{_GAP}|[ \u00a0](?:{_DOT})[ \u00a0]|[_-]dot[_-]|\.)"
_NAME = r"[a-z0-9_%+\-]{1,32}"
_LABEL = r"[\w\-]{1,40}?"

PATTERN = (
    rf"(?i)(?<![\w.%+@])(?P<local>{_NAME}(?:{_STOP}{_NAME}){{0,3}}?)(?P<sign>{_SIGN})"
    rf"(?P<host>{_LABEL}(?:{_STOP}{_LABEL}){{1,4}})(?![\w@])"
)
_PATTERN = re.compile(PATTERN)
_STOPS = re.compile(f"(?i){_STOP}")
_SPELT_STOP = re.compile(rf"(?i)[ \u00a0\])}}>_-](?:{_DOT})|[\[({{<]{_GAP}(?:{_DOT}|\.)")

_CUE = re.compile(
    r"(?i)(?:e-?mail|mail\b|correo|courriel|kontakt|contact|contato|contatto|contacto|write|reach|address|adres|schreib|"
    r"escrib|escriv|scriv|écri|пишите|почт|email|electr[oó]nic|e-?post|@)"
)
# "look at amazon dot com": words that stand before "at" in running text.
_BEFORE_AT = (
    "a all am an and are arrive available away be been being best big buy but by call check come company costs "
    "day deal directly find first follow for found free from get go good hosted here him home in information "
    "is it its join just laugh learn left life live located look looked looking lot made man me meet more new "
    "news not now of off on online one only or order other out page people person place play point posted "
    "price read sale see sell shop shopping site sold start stay stop store that the them there they thing "
    "this time today up us value visit was watch we website week were work worked working works years you"
)
_COMMON = frozenset(_BEFORE_AT.split())
# "the dot com boom"
_BEFORE_DOT = "the a an this that these my our your his her their any some every each other many new all"
_NO_HOST = frozenset(_BEFORE_DOT.split())


def refine(is_registrable: Callable[[str], bool]) -> Refine:
    """Take a written-out address whose host name ends in a public suffix, where it is surely one.

    An at sign in brackets or as an entity is sure. The bare word is read only with a dot in words as well, and only
    where the words before it speak of mail, or the address begins a line, or its local part is no plain word.

    Args:
        is_registrable: whether a host name has a label below a public suffix.
    """

    def cut(hit: Hit) -> tuple[int, int] | None:
        match = _PATTERN.fullmatch(hit.text)
        if match is None:
            return None
        sign = match["sign"].strip(" \u00a0").lower()
        bare = sign[0] in "a_-"
        labels = _STOPS.split(match["host"].lower())
        local = match["local"]
        start = 0
        if bare:
            if not _SPELT_STOP.search(match["host"]) or labels[0] in _NO_HOST:
                return None
            # "write to jane dot roe at …": without brackets, spaces part words, and only dots in words join them.
            plain = local.isalpha()
            if local.lower() in _COMMON:
                return None
            alone = re.search(r"(?:\A|[\n:;<>(\[|\"'])\s*\Z", hit.before)
            if plain and not alone and not _CUE.search(hit.before):
                return None
        # The host may be followed by words that look like more of it: the longest that is registrable stands.
        stops = list(_STOPS.finditer(match["host"]))
        for count in range(len(labels), 1, -1):
            host = ".".join(labels[:count])
            if all(labels[:count]) and is_registrable(host):
                end = stops[count - 1].start() if count <= len(stops) else len(match["host"])
                if _SPELT_STOP.search(match["host"][:end]) or not bare:
                    return start, match.start("host") + end
        return None

    return cut
