"""Personal data found and left, on the public test data: the stage beside its peers.

Labelled sets: Presidio's vectors and synthetic sentences (English), clinical cases (Spanish), the IBAN registry,
libphonenumber's examples of every region, python-stdnum's numbers of persons, addresses against versions. Recall and
precision are of spans that touch a label of their type. Numbers whose check digits are good stand in a sentence behind
their name, as people write them, and so do the same numbers with one digit changed.

Clean technical text is help pages, TeX sources and the standard library of Python; all that is found there but e-mail
addresses counts as false. Peers: Apertus's three rules (its `pii_formatter.py`, rebuilt), datatrove's formatter where
it is installed, and Presidio with its own recognisers and no language model.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import re
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.gates.public_data import public_data
from lauter.pipeline.contract import StageContext
from lauter.stages.pii import Pii, PiiConfig
from lauter.stages.pii.national_id import FORMATS, shape, validator

NAME = "pii"
CHECKED = ("iban", "card", "crypto", "id")
LIBRARY_BYTES = 3_000_000
Find = Callable[[str, str | None], Iterable[tuple[int, int, str]]]
"""(text, URL) -> what is found."""


class Case(NamedTuple):
    """A text, where it is from, the spans that are labelled in it, and which types are labelled at all."""

    text: str
    language: str
    labels: tuple[tuple[int, int, str], ...]
    types: frozenset[str]
    url: str | None = None


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(public_data(f"{name}.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


PRESIDIO = {
    "EMAIL_ADDRESS": "email",
    "IP_ADDRESS": "ip",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "CRYPTO": "crypto",
    "US_SSN": "id",
}
MEDDOCAN = {"CORREO_ELECTRONICO": "email", "NUMERO_TELEFONO": "phone", "NUMERO_FAX": "phone"}


def cases() -> Iterator[Case]:
    types = frozenset(("email", "ip", "iban", "card", "crypto"))
    for row in rows("pii/presidio-research-synth"):
        found = tuple((start, end, PRESIDIO[label]) for start, end, label, _ in row["spans"] if label in PRESIDIO)
        yield Case(row["text"], "eng", found, types | {"id"})
    for row in rows("pii/meddocan-test"):
        labels = tuple((start, end, MEDDOCAN[label]) for start, end, label, *_ in row["spans"] if label in MEDDOCAN)
        yield Case(row["text"], "spa", labels, frozenset(("email", "phone")), "https://clinic.example.es/")
    for row in rows("pii/presidio-recognizer-vectors"):
        kind = PRESIDIO.get(row["entity"])
        if kind in types and len(row["positions"] or ()) == row["expected_len"]:
            spans = [(start, end) for start, end in row["positions"] or ()]
            labels = tuple((*span, kind) for span in spans if kind != "ip" or _is_public(row["text"][slice(*span)]))
            yield Case(row["text"], "eng", labels, frozenset((kind,)))
    for row in rows("pii/ip-vs-version"):
        start = row["text"].index(row["match"])
        personal = row["is_pii"] and _is_public(row["match"])
        found = ((start, start + len(row["match"]), "ip"),) if personal else ()
        yield Case(row["text"], "eng", found, frozenset(("ip",)))
    for row in rows("pii/iban-registry"):
        number = row["example"]
        for written in (number, " ".join(re.findall(".{1,4}", number)), number.lower()):
            yield sentence("IBAN", written, "iban", row["country"])
        yield sentence("IBAN", _changed(number), None, row["country"], "iban")
    for row in rows("pii/phone-examples"):
        if row["type"] in ("mobile", "fixedLine"):
            yield sentence("Tel.", f"+{row['cc']} {row['example']}", "phone", row["region"])
    yield from identifiers()


def _is_public(text: str) -> bool:
    # The stage leaves addresses that are the same in every network, and so do the labels.
    return ipaddress.ip_interface(text.partition("%")[0]).is_global


def sentence(word: str, written: str, kind: str | None, country: str, type_: str = "") -> Case:
    text = f"{word}: {written}, more"
    labels = ((len(word) + 2, len(word) + 2 + len(written), kind),) if kind else ()
    return Case(text, country, labels, frozenset((kind or type_,)), f"https://example.{country.lower()}/")


WORDS = {"es": "DNI", "gb": "NHS", "us": "SSN", "fr": "NIR", "it": "codice fiscale", "de": "Steuer-ID", "pl": "PESEL"}


def identifiers() -> Iterator[Case]:
    """Numbers of persons, in a page of their country behind a word of general meaning, and spoilt ones."""
    checks = {format_.check: name for name, format_ in FORMATS.items()}
    for row in rows("pii/national-id-vectors"):
        name = checks.get(row["type"])
        number = row["number"].strip()
        if name is None or not row["valid"]:
            continue
        shapes = {
            part.replace("_", " ")
            for key in FORMATS
            for part in FORMATS[key].shapes
            if FORMATS[key].check == row["type"]
        }
        if not any(re.fullmatch(_pattern(part), shape(number)) for part in shapes):
            continue  # written as nobody writes it: "  1234-5.6"
        country = next(iter(sorted(FORMATS[name].regions)))
        yield sentence(WORDS.get(country.lower(), "National ID"), number, "id", country)
        spoilt = _changed(number)
        if not any(validator(key)(spoilt) for key in FORMATS if FORMATS[name].regions & FORMATS[key].regions):
            yield sentence(WORDS.get(country.lower(), "National ID"), spoilt, None, country, "id")


def _pattern(template: str) -> str:
    classes = {"B": "[Aa]", "X": "[0A]"}
    return "".join(classes.get(character, re.escape(character)) for character in template)


def _changed(number: str) -> str:
    place = max(place for place, character in enumerate(number) if character.isdigit())
    return number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]


def technical() -> Iterator[tuple[str, str]]:
    for row in rows("ground_truth"):
        if row["id"].startswith("docs-"):
            yield "help pages", row["gt"].get("text") or ""
    for row in rows("math/tex"):
        yield "TeX", row["text"]
    size = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        size += len(text)
        if size > LIBRARY_BYTES:
            break
        yield "Python", text


def ours() -> Find:
    stage = Pii(PiiConfig(), StageContext())
    stage.open()
    return lambda text, url: stage.spans_of({"text": text, "url": url})


def apertus() -> Find:
    """Its three rules: no word boundary around addresses, IBANs only in groups of four digits, no check digits."""
    octet = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
    local = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    rules = (
        (
            "email",
            re.compile(rf"\b{local}@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.I),
        ),
        ("ip", re.compile(rf"(?:{octet}\.){{3}}{octet}")),
        ("iban", re.compile(r"[A-Z]{2}[0-9]{2}(?: [0-9]{4}){4} [0-9A-Za-z]{1,2}")),
    )
    return lambda text, _url: [(*match.span(), kind) for kind, rule in rules for match in rule.finditer(text)]


def datatrove() -> Find | None:
    try:
        from datatrove.pipeline.formatters import PIIFormatter
    except ImportError:
        return None
    formatter = PIIFormatter()
    replacers = (("email", formatter.emails_replacer), ("ip", formatter.ip_replacer))

    def find(text: str, _url: str | None) -> list[tuple[int, int, str]]:
        found = []
        for kind, replacer in replacers:
            for match in replacer.regex.finditer(text):
                if replacer.validator is None or replacer.validator(match[0]):
                    found.append((*match.span(), kind))
        return found

    return find


def presidio() -> Find:
    """All predefined recognisers that need no model; matches of a score of 0.4, which its telephone numbers have."""
    import tldextract
    from presidio_analyzer import predefined_recognizers as known

    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    types = {**PRESIDIO, "PHONE_NUMBER": "phone", "MAC_ADDRESS": "mac"}
    made = []
    for name in sorted(known.__all__):
        if name.endswith("Recognizer") and not re.match(
            "Spacy|Stanza|Transformers|GLiNER|Azure|Medical|.*LLM|LangExtract|Date|Url|HuggingFace", name, re.I
        ):
            try:
                made.append(getattr(known, name)())
            except Exception:
                continue
    for recogniser in made:
        if type(recogniser).__name__ == "EmailRecognizer":
            recogniser.validate_result = lambda text: offline(text).fqdn != ""

    def find(text: str, _url: str | None) -> list[tuple[int, int, str]]:
        found = []
        for recogniser in made:
            for result in recogniser.analyze(text, recogniser.supported_entities, None) or ():
                if result.score >= 0.4:
                    found.append((result.start, result.end, types.get(result.entity_type, "id")))
        return found

    return find


class Tally(NamedTuple):
    """Labels found and missed, and what was found without a label, by (type, language)."""

    found: Counter[tuple[str, str]]
    missed: Counter[tuple[str, str]]
    false: Counter[tuple[str, str]]

    def rates(self, kind: str, language: str | None = None) -> tuple[float, float] | None:
        """Precision and recall of a type; None where nothing is labelled."""
        found, missed, false = (
            sum(n for (t, where), n in counts.items() if t == kind and language in (None, where)) for counts in self
        )
        return (found / (found + false) if found else 0.0, found / (found + missed)) if found + missed else None


def tally(find: Find, given: list[Case]) -> Tally:
    counts = Tally(Counter(), Counter(), Counter())
    for case in given:
        got = [span for span in find(case.text, case.url) if span[2] in case.types]
        for start, end, kind in case.labels:
            hit = any(s < end and start < e and k == kind for s, e, k in got)
            (counts.found if hit else counts.missed)[kind, case.language] += 1
        for start, end, kind in got:
            if not any(start < e and s < end and k == kind for s, e, k in case.labels):
                counts.false[kind, case.language] += 1
    return counts


def measure() -> Mapping[str, float]:
    """Precision and recall by type, and one minus the false hits in 10,000 words of technical text."""
    given = list(cases())
    # Presidio's ninety recognisers take minutes for all numbers: every fifth of those behind a word.
    peers: dict[str, tuple[Find, int]] = {"Lauter": (ours(), 1), "Apertus": (apertus(), 1)}
    if (other := datatrove()) is not None:
        peers["datatrove"] = (other, 1)
    peers["Presidio"] = (presidio(), 5)
    tallies = {name: tally(find, given[::step]) for name, (find, step) in peers.items()}
    types = ("email", "ip", *CHECKED, "phone")
    print(f"{'precision / recall':20}" + "".join(f"{name:>18}" for name in peers))
    numbers: dict[str, float] = {}
    for kind in types:
        cells = [tallies[name].rates(kind) for name in peers]
        print(f"{kind:20}" + "".join(f"{f'{c[0]:.3f} / {c[1]:.3f}' if c else '-':>18}" for c in cells))
        if cells[0]:
            numbers[f"{kind} precision"], numbers[f"{kind} recall"] = cells[0]
    print("\nLauter by language or country, where a recall is below 1:")
    by_language: dict[str, list[str]] = defaultdict(list)
    for kind, language in sorted({*tallies["Lauter"].found, *tallies["Lauter"].missed}):
        rates = tallies["Lauter"].rates(kind, language)
        if rates and (rates[1] < 1 or language in ("eng", "spa")):
            by_language[kind].append(f"{language} {rates[0]:.3f} / {rates[1]:.3f}")
    for kind, cells_ in by_language.items():
        print(f"  {kind}: {', '.join(cells_)}")
    countries = {language for kind, language in tallies["Lauter"].found if kind == "id"}
    print(
        f"  national identifiers found of {len(countries)} countries in the data; formats of "
        f"{len({region for f in FORMATS.values() for region in f.regions})} are known"
    )
    print(f"\n{'found in 10,000 words':22}" + "".join(f"{name:>18}" for name in peers))
    texts: dict[str, list[str]] = defaultdict(list)
    for name, text in technical():
        texts[name].append(text)
    for name, parts in texts.items():
        cells_ = []
        for peer, (find, step) in peers.items():
            some = parts[:: step * 4 if step > 1 else 1]
            words = sum(len(part.split()) for part in some)
            found = sum(kind != "email" for part in some for *_, kind in find(part, None))
            cells_.append(f"{found / words * 1e4:.3f}")
            if peer == "Lauter":
                numbers[f"{name}: 1 - false hits in 10,000 words"] = 1 - found / words * 1e4
        print(f"{name:22}" + "".join(f"{cell:>18}" for cell in cells_))
    return numbers
