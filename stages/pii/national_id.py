"""National identity and insurance numbers that carry a check digit; the checks are python-stdnum's."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

_LEFT = r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z][.,/-])"
_RIGHT = r"(?![0-9A-Za-z_]|[.,/-][0-9A-Za-z])"
_DATE = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"

FORMATS: dict[str, tuple[str, str]] = {
    "be-nn": ("be.nn", r"[0-9]{2}[.]?[0-9]{2}[.]?[0-9]{2}[- ]?[0-9]{3}[. ]?[0-9]{2}"),
    "bg-egn": ("bg.egn", r"[0-9]{10}"),
    "br-cpf": ("br.cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    "ch-ahv": ("ch.ssn", r"756([. ]?)[0-9]{4}\1[0-9]{4}\1[0-9]{2}"),
    "cl-rut": ("cl.rut", r"[0-9]{1,2}(\.?)[0-9]{3}\1[0-9]{3}-[0-9Kk]"),
    "cn-ric": ("cn.ric", r"[1-9][0-9]{5}(?:19|20)" + _DATE + r"[0-9]{3}[0-9Xx]"),
    "cz-rc": ("cz.rc", r"[0-9]{6}/[0-9]{3,4}"),
    "de-idnr": ("de.idnr", r"[1-9][0-9](?: ?[0-9]{3}){3}"),
    "ee-ik": ("ee.ik", r"[1-6]" + _DATE + r"[0-9]{4}"),
    "es-dni": ("es.dni", r"[0-9]{8}-?[A-Z]"),
    "es-nie": ("es.nie", r"[XYZ]-?[0-9]{7}-?[A-Z]"),
    "fi-hetu": ("fi.hetu", r"[0-3][0-9][01][0-9]{3}[-+A][0-9]{3}[0-9A-Y]"),
    "fr-nir": ("fr.nir", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"),
    "gb-nhs": ("gb.nhs", r"[0-9]{3}([ -])[0-9]{3}\1[0-9]{4}"),
    "hr-oib": ("hr.oib", r"[0-9]{11}"),
    "in-aadhaar": ("in_.aadhaar", r"[2-9][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}"),
    "it-codicefiscale": (
        "it.codicefiscale",
        r"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]",
    ),
    "kr-rrn": ("kr.rrn", _DATE + r"-[1-8][0-9]{6}"),
    "lt-asmens": ("lt.asmens", r"[1-6]" + _DATE + r"[0-9]{4}"),
    "mx-curp": ("mx.curp", r"[A-Z]{4}" + _DATE + r"[HM][A-Z]{5}[0-9A-Z][0-9]"),
    "nl-bsn": ("nl.bsn", r"[0-9]{9}"),
    "no-fodselsnummer": ("no.fodselsnummer", r"[0-7][0-9]{5}[ -]?[0-9]{5}"),
    "pl-pesel": ("pl.pesel", r"[0-9]{11}"),
    "ro-cnp": ("ro.cnp", r"[1-9]" + _DATE + r"[0-9]{6}"),
    "se-personnummer": ("se.personnummer", r"(?:[12][0-9])?" + _DATE + r"[-+][0-9]{4}"),
    "th-pin": ("th.pin", r"[0-9]([- ])[0-9]{4}\1[0-9]{5}\1[0-9]{2}\1[0-9]"),
    "tr-tckimlik": ("tr.tckimlik", r"[1-9][0-9]{10}"),
    "za-idnr": ("za.idnr", _DATE + r"[0-9]{7}"),
}
"""Name -> (python-stdnum module, how the number is written). Only numbers of persons, only with a checksum, and where
the usual way of writing has separators only that way: bare digits pass one check digit in ten by chance."""


def pattern(name: str) -> str:
    """The regular expression of one format, with its boundaries."""
    return f"{_LEFT}(?:{FORMATS[name][1]}){_RIGHT}"


def validator(name: str) -> Callable[[str], bool]:
    """python-stdnum's check of one format."""
    module = import_module(f"stdnum.{FORMATS[name][0]}")

    def is_valid(number: str) -> bool:
        return bool(module.is_valid(number))

    return is_valid
