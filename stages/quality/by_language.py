"""Which thresholds hold for a language: those for all, what its script changes, the languages file, the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from pydantic import ValidationError

from lauter.stages.languages_file import LanguagesFile, Stamp, stamp
from lauter.stages.quality.thresholds import QualityConfig, Thresholds

UNSPACED_SCRIPTS = frozenset(
    {
        *("Ahom", "Bali", "Bopo", "Hani", "Hans", "Hant", "Hira", "Hrkt", "Java", "Jpan", "Kana", "Khmr", "Kits"),
        *("Lana", "Laoo", "Mymr", "Nshu", "Tale", "Talu", "Tang", "Tavt", "Thai", "Yiii"),
    }
)
"""ISO 15924 codes of scripts without spaces: those of `characters.UNSPACED`, and Han and kana as labels name them."""
_SET_ON_SPACED = ("min_mean_word_length", "max_mean_word_length", "min_line_punctuation_ratio")
_OFF = dict.fromkeys(_SET_ON_SPACED)


def thresholds_of(path: str) -> Mapping[str, Thresholds]:
    """The thresholds in a languages file by label; read once per process, and again where it was changed.

    Raises:
        ValueError: It is no languages file, or has a threshold that is none; with file and line.
        OSError: It cannot be read.
    """
    return _thresholds_of(stamp(path))


@lru_cache(maxsize=2)
def _thresholds_of(stamped: Stamp) -> Mapping[str, Thresholds]:
    file = LanguagesFile(stamped.path)
    found = {}
    for label, entry in file.entries.items():
        try:
            found[label] = Thresholds.model_validate(dict(entry.quality))
        except ValidationError as error:
            raise file.fault(label, error, "quality") from None
    return found


def thresholds_for(config: QualityConfig, label: str) -> Thresholds:
    """The thresholds for a value of the language column ("srp_Cyrl", "srp").

    1. What `config` says for all languages. Mean word lengths and ends of lines were set on text with spaces, so for a
       script without spaces they are off here: a Chinese word has 1.6 letters, and a Thai line ends without a stop.
    2. What the languages file says of the label, else of the bare language.
    3. What the manifest's `languages` says of it, in the same way.
    """
    language, _, script = label.partition("_")
    update: dict[str, object] = dict(_OFF) if script in UNSPACED_SCRIPTS else {}
    files = [] if config.languages_file is None else [thresholds_of(config.languages_file)]
    for source in (*files, config.languages):
        own = source.get(label) or source.get(language)
        if own is not None:
            update |= {name: getattr(own, name) for name in own.model_fields_set}
    return config.model_copy(update=update) if update else config
