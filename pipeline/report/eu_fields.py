"""The parts of the EU public summary: numbered sections of entries, each measured, declared, or named as missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

TEMPLATE = "Template for the public summary of training content, Art. 53(1)(d) AI Act (Commission, 24 July 2025)"

TITLES: Mapping[str, str] = {
    "header": "Version of the summary",
    "1.1": "Provider identification",
    "1.2": "Model identification",
    "1.3": "Modalities, overall size of the training data and other characteristics",
    "2.1": "Publicly available datasets",
    "2.2.1": "Datasets commercially licensed by rightsholders or their representatives",
    "2.2.2": "Private datasets obtained from other third parties",
    "2.3": "Data crawled and scraped from online sources",
    "2.4": "User data",
    "2.5": "Synthetic data",
    "2.6": "Other sources of data",
    "3.1": "Respect of reservations of rights from text and data mining",
    "3.2": "Removal of illegal content",
    "3.3": "Other information (optional)",
}
"""Every section that asks for something, in the template's order."""

BANDS = ((10**9, "less than 1 billion tokens"), (10**13, "1 billion to 10 trillion tokens"))

LARGE_PERCENT = 3
"""A public dataset is large, and listed, when it is more than this share of all public datasets (section 2.1)."""

SECTIONS: Mapping[str, str] = {
    "public-dataset": "2.1",
    "licensed": "2.2.1",
    "third-party": "2.2.2",
    "crawled": "2.3",
    "user-data": "2.4",
    "synthetic": "2.5",
    "other": "2.6",
}
"""Where a source of each category belongs."""

OFFICIAL: Mapping[str, tuple[str, ...]] = {
    "Bulgarian": ("bul",),
    "Croatian": ("hrv",),
    "Czech": ("ces",),
    "Danish": ("dan",),
    "Dutch": ("nld",),
    "English": ("eng",),
    "Estonian": ("est", "ekk"),
    "Finnish": ("fin",),
    "French": ("fra",),
    "German": ("deu",),
    "Greek": ("ell",),
    "Hungarian": ("hun",),
    "Irish": ("gle",),
    "Italian": ("ita",),
    "Latvian": ("lav", "lvs"),
    "Lithuanian": ("lit",),
    "Maltese": ("mlt",),
    "Polish": ("pol",),
    "Portuguese": ("por",),
    "Romanian": ("ron",),
    "Slovak": ("slk",),
    "Slovenian": ("slv",),
    "Spanish": ("spa",),
    "Swedish": ("swe",),
}
"""The official languages of the Union (Regulation No 1/1958), by their ISO 639-3 codes and those of their standard
forms."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer."""

    label: str
    name: str
    """`ledger`, `stage NAME` or the like for what is measured; the manifest's key for what is declared or missing."""
    origin: Literal["measured", "declared", "missing"]
    value: Any = None
    """Text, number, truth value, list of texts, or list of mappings of equal keys (a table)."""


@dataclass(slots=True)
class Section:
    """A section of the template with its answers in order."""

    number: str
    entries: list[Entry] = field(default_factory=list)

    def measured(self, label: str, value: object, name: str = "ledger") -> None:
        """Add what the run itself knows."""
        self.entries.append(Entry(label, name, "measured", value))

    def declared(self, label: str, data: Mapping[str, Any], name: str) -> None:
        """Add what stands at a dotted name below `data`'s key, or that it is missing.

        The first part of `name` is where `data` itself stands: `provider.summary.version` of the provider's block.
        """
        value: Any = data
        for part in name.split(".")[1:]:
            value = value.get(part) if isinstance(value, Mapping) else None
        self.add(label, name, value)

    def add(self, label: str, name: str, value: object) -> None:
        """Add a declared value; None is missing."""
        self.entries.append(Entry(label, name, "missing" if value is None else "declared", value))

    def plain(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "number": self.number,
            "title": TITLES[self.number],
            "entries": [asdict(entry) for entry in self.entries],
        }


def band(tokens: int) -> str:
    """The size band of the template (section 1.3) for text.

    >>> band(999_999_999), band(10**13), band(10**13 + 1)
    ('less than 1 billion tokens', '1 billion to 10 trillion tokens', 'more than 10 trillion tokens')
    """
    (billion, small), (trillions, middle) = BANDS
    return small if tokens < billion else middle if tokens <= trillions else "more than 10 trillion tokens"


def percent(part: int, whole: int) -> float:
    """A part in per cent of the whole, four decimals; 0 of nothing."""
    return round(100 * part / whole, 4) if whole else 0.0
