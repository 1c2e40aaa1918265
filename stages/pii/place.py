"""Where a document is from, as far as its language and its address say: numbers are written by national rules."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

_REGIONS = {
    "als": "CH DE", "arb": "EG SA AE MA DZ", "azj": "AZ", "bel": "BY", "ben": "BD IN", "bos": "BA", "bul": "BG",
    "cat": "ES AD", "ces": "CZ", "cmn": "CN TW SG", "cym": "GB", "dan": "DK", "deu": "DE AT CH LI", "ekk": "EE",
    "ell": "GR CY", "eng": "US GB CA AU IE NZ IN ZA", "est": "EE", "eus": "ES", "fas": "IR", "fil": "PH",
    "fin": "FI", "fra": "FR BE CH CA LU", "gle": "IE", "glg": "ES", "gsw": "CH", "heb": "IL", "hin": "IN",
    "hrv": "HR BA", "hun": "HU", "hye": "AM", "ind": "ID", "isl": "IS", "ita": "IT CH SM", "jpn": "JP",
    "kat": "GE", "kaz": "KZ", "kor": "KR", "lit": "LT", "ltz": "LU", "lvs": "LV", "mkd": "MK", "mlt": "MT",
    "msa": "MY", "nld": "NL BE", "nno": "NO", "nob": "NO", "npi": "NP", "pes": "IR", "pol": "PL", "por": "BR PT",
    "roh": "CH", "ron": "RO MD", "rus": "RU BY KZ", "sin": "LK", "slk": "SK", "slv": "SI",
    "spa": "ES MX AR CO CL PE VE EC UY DO SV CR CU", "sqi": "AL XK", "srp": "RS ME BA", "swe": "SE FI",
    "tam": "IN LK", "tel": "IN", "tgl": "PH", "tha": "TH", "tur": "TR", "ukr": "UA", "urd": "PK", "vie": "VN",
    "wuu": "CN", "yue": "HK", "zho": "CN TW SG", "zsm": "MY SG",
}  # fmt: skip
"""Language (ISO 639-3) -> regions (ISO 3166-1 alpha-2) that most of its pages are from, the largest first."""

_SOLD = (
    "ac ag ai am as bz cc cd cm co cx dj fm gd gg gl gs io la lc li ly me ml ms mu nu pw sc sh sx tk to tv vc vg ws eu"
)
"""Top-level domains of countries that are sold to everybody: they say nothing about a page."""


class Place(NamedTuple):
    """What is known: ISO 639-3 code of the language, and the region that the address's top-level domain is of."""

    language: str | None = None
    region: str | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """The region of the address, or those of the language where the address has none."""
        if self.region is not None:
            return (self.region,)
        return tuple(_REGIONS.get(self.language or "", "").split())


NOWHERE = Place()


def place(label: str | None, url: str | None) -> Place:
    """The place of a document from its language label and its URL.

    >>> place("deu_Latn", "https://example.ch/a").regions, place("deu_Latn", None).regions
    (('CH',), ('DE', 'AT', 'CH', 'LI'))
    """
    return Place(label.partition("_")[0] if label else None, _region(url) if url else None)


def places(batch: pa.RecordBatch) -> list[Place]:
    """The place of each row of a batch; it need have neither `language` nor `url`."""
    names = batch.schema.names
    labels = batch.column("language").to_pylist() if "language" in names else [None] * batch.num_rows
    urls = batch.column("url").to_pylist() if "url" in names else [None] * batch.num_rows
    return [place(label, url) for label, url in zip(labels, urls, strict=True)]


def _region(url: str) -> str | None:
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
    suffix = host.rstrip(".").rpartition(".")[2].lower()
    if len(suffix) != 2 or not suffix.isascii() or not suffix.isalpha() or suffix in _SOLD.split():
        return None
    return {"uk": "GB"}.get(suffix, suffix.upper())
