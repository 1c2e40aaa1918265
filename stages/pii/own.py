"""Recognisers that a manifest brings: Presidio recognisers in files of its own, and spaCy models that find names.

Nothing is known of what they look for, so they read every document whole, and no prefilter spares them a text.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from lauter.stages.pii.place import Place
from lauter.stages.pii.spans import Match

LAST = 1000
"""Priority of their matches: behind all others of the same length."""

_TYPES = {
    "email-address": "email",
    "ip-address": "ip",
    "iban-code": "iban",
    "credit-card": "card",
    "phone-number": "phone",
    "mac-address": "mac",
    "person": "name",
    "per": "name",
    "us-ssn": "id",
}
"""Names of Presidio's and spaCy's that mean a type of this stage."""
_LANGUAGES = {
    "ca": "cat", "da": "dan", "de": "deu gsw", "el": "ell", "en": "eng", "es": "spa", "fi": "fin", "fr": "fra",
    "hr": "hrv", "it": "ita", "ja": "jpn", "ko": "kor", "lt": "lit", "mk": "mkd", "nb": "nob nno", "nl": "nld",
    "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sl": "slv", "sv": "swe", "uk": "ukr", "zh": "cmn zho",
}  # fmt: skip
"""Languages of spaCy's models (ISO 639-1) -> those of documents (ISO 639-3). Every other model reads every document."""

Analyze = Callable[[str], Iterable[tuple[int, int, str]]]
"""(start, end, type) in code points of a text."""


class Own(NamedTuple):
    """A recogniser of the manifest."""

    analyze: Analyze
    languages: frozenset[str]
    """ISO 639-3 codes of the documents that it reads; empty for all. One without a language is read by every one."""


def type_name(name: str) -> str:
    """The type of span for an entity of Presidio's or a label of spaCy's.

    >>> type_name("EMAIL_ADDRESS"), type_name("LICENSE_PLATE")
    ('email', 'license-plate')
    """
    plain = re.sub("[^0-9a-z]+", "-", name.lower()).strip("-") or "other"
    return _TYPES.get(plain, plain)


def from_file(path: str, least_score: float) -> list[Own]:
    """The recognisers of a file: Python with classes of `presidio_analyzer.EntityRecognizer`, or Presidio's YAML.

    Raises:
        ValueError: the file holds none, or one that cannot be made without arguments.
    """
    try:
        found = _from_yaml(path) if path.endswith((".yaml", ".yml")) else _from_python(path)
    except Exception as error:
        raise ValueError(f"{path}: {type(error).__name__}: {error}") from error
    if not found:
        raise ValueError(f"{path}: holds no recogniser; expected classes of presidio_analyzer.EntityRecognizer")
    return [Own(_presidio(recogniser, least_score), frozenset()) for recogniser in found]


def _from_yaml(path: str) -> list[Any]:
    from presidio_analyzer import RecognizerRegistry

    registry = RecognizerRegistry(supported_languages=["xx"])
    registry.add_recognizers_from_yaml(path)
    return list(registry.recognizers)


def _from_python(path: str) -> list[Any]:
    from presidio_analyzer import EntityRecognizer

    name = f"_lauter_recognisers_{xxhash.xxh3_64_hexdigest(path)}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    classes: list[Any] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == name and issubclass(value, EntityRecognizer)
    ]
    return [made() for made in classes]


def _presidio(recogniser: Any, least_score: float) -> Analyze:  # noqa: ANN401 - Presidio's class is imported late
    entities = list(recogniser.supported_entities)

    def analyze(text: str) -> Iterator[tuple[int, int, str]]:
        for result in recogniser.analyze(text, entities, None) or ():
            if result.score >= least_score and result.start < result.end:
                yield result.start, result.end, type_name(result.entity_type)

    return analyze


def from_model(path: str) -> Own:
    """What finds names of persons: a spaCy pipeline in one file, the wheel that it is published as, or a zip.

    Raises:
        ValueError: there is no pipeline in the file, or none that finds names.
    """
    import spacy

    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            configs = sorted((name for name in archive.namelist() if name.endswith("config.cfg")), key=len)
            if not configs:
                raise ValueError(f"{path}: no spaCy pipeline in it; expected a file config.cfg")
            root = configs[0].removesuffix("config.cfg")
            archive.extractall(folder, [name for name in archive.namelist() if name.startswith(root)])
            pipeline = spacy.load(Path(folder) / root)
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path}: not a spaCy pipeline in a wheel or zip ({type(error).__name__})") from error
    labels = {label for component in pipeline.pipe_labels.values() for label in component}
    persons = frozenset(label for label in labels if label.upper() in ("PER", "PERSON", "PERSNAME", "PRS"))
    if not persons:
        raise ValueError(
            f"{path}: a pipeline without a label for persons; it has {', '.join(sorted(labels)) or 'none'}"
        )
    limit = pipeline.max_length

    def analyze(text: str) -> Iterator[tuple[int, int, str]]:
        for start in range(0, len(text), limit):
            for found in pipeline(text[start : start + limit]).ents:
                if found.label_ in persons:
                    yield start + found.start_char, start + found.end_char, "name"

    return Own(analyze, frozenset(_LANGUAGES.get(pipeline.lang or "", "").split()))


def find_own(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    recognisers: Sequence[Own],
    places: Sequence[Place],
    rows: NDArray[np.bool_],
) -> list[Match]:
    """What the manifest's recognisers find in the documents of a column that `rows` (shape (n,)) names; may overlap.

    Raises:
        ValueError: one of them gives a range that is not in the text.
    """
    matches: list[Match] = []
    for row in np.flatnonzero(rows).tolist() if recognisers else ():
        first = int(offsets[row])
        # Surrogates for bytes that are no UTF-8 keep the number of bytes.
        text = data[first : int(offsets[row + 1])].tobytes().decode("utf-8", "surrogateescape")
        for place, own in enumerate(recognisers):
            language = places[row].language
            if not text or (own.languages and language is not None and language not in own.languages):
                continue
            for start, end, kind in own.analyze(text):
                if not 0 <= start < end <= len(text):
                    raise ValueError("a recogniser of the manifest gave a range that is not in the text")
                size = len(text[start:end].encode("utf-8", "surrogateescape"))
                begin = first + len(text[:start].encode("utf-8", "surrogateescape"))
                matches.append(Match(row, begin, begin + size, LAST + place, kind))
    return matches
