"""The file of what is set by language: thresholds and stop words, made from data and read by the stages.

    format: 1
    model: embedded
    labels:
      deu_Latn:
        documents: 812
        language_score: 0.821
        quality: {max_duplicate_line_ratio: 0.263, max_mean_word_length: 15}
        stop_words: [der, die, und]

`lauter lang thresholds` makes it from a corpus or from lines of text, `lauter lang import-fineweb2` from FineWeb-2's
published configs. Each stage reads what is its own: the language stage `language_score`, the quality stage `quality`
(a threshold is a decision, so a change reads scores only) and `stop_words` (they are counted in the text, so they
usually stand in a file of their own). What a label does not have is as the stage's own parameters say. `model`, which
may be missing, is the one whose scores `language_score` was made from: those of another mean something else.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml
from pydantic import Field, ValidationError, field_validator

from lauter.pipeline.contract import StageConfig

FORMAT = 1
_KEYS = ("format", "model", "labels")
LABEL = re.compile(r"[a-z]{3}(_[A-Z][a-z]{3})?")
"""ISO 639-3, as a rule with a script of ISO 15924. The bare language is for a model that names no script."""

# libyaml's parser comes with PyYAML's wheels and reads 1,900 languages in 0.4 s, the one in Python in 4 s.
Loader: TypeAlias = yaml.CSafeLoader | yaml.SafeLoader
_Loader: type[Loader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class LanguageEntry(StageConfig):
    """What is set for one label."""

    documents: int | None = Field(default=None, ge=0)
    """Documents or lines that it was made from. Evidence for people; no stage reads it."""
    language_score: float | None = Field(default=None, ge=0, le=1)
    """Probability below which the language stage drops a document of this label."""
    quality: Mapping[str, Any] = Field(default_factory=dict)
    """Fields of the quality stage's `Thresholds`, which that stage checks."""
    stop_words: tuple[str, ...] | None = Field(default=None, strict=False, min_length=1)
    """Words as the segmentation cuts them, in lower case."""

    @field_validator("stop_words", mode="before")
    @classmethod
    def _are_words(cls, words: object) -> object:
        for word in words if isinstance(words, list) else []:
            if not isinstance(word, str):
                raise ValueError(f"{word!r} is no word to YAML; write it in quotes")  # noqa: TRY004 - pydantic wants it
            if not word or word.split() != [word]:
                raise ValueError(f"{word!r} is not one word")
        return words


class LanguagesFile:
    """A languages file that was read: its entries, and where they stand for messages about them."""

    def __init__(self, path: str) -> None:
        """Read and check a file.

        Raises:
            ValueError: It is no such file; the message has file, line and what to write instead.
        """
        self.path = path
        self.model: str | None = None
        """The language model whose scores `language_score` was made from, where the file says so."""
        self.entries: dict[str, LanguageEntry] = {}
        """By label, in the order of the file."""
        try:
            self._read(_Loader(Path(path).read_text(encoding="utf-8")))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not UTF-8 at byte {error.start}") from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ValueError(f"{path}:{line}: no valid YAML: {error.problem}") from None
        except yaml.YAMLError as error:
            raise ValueError(f"{path}: no valid YAML: {' '.join(str(error).split())}") from None

    def _read(self, loader: Loader) -> None:
        try:
            self._labels = self._checked_root(loader.get_single_node())
            for label, node in self._labels.items():
                self._check_keys(node, label)
                try:
                    values = loader.construct_object(node, deep=True)
                except ValueError as error:
                    # PyYAML lets through what Python says of a value that looks like a date and is none.
                    raise self._problem(node, f"{label}: a value in it cannot be read: {error}") from None
                try:
                    self.entries[label] = LanguageEntry.model_validate(values)
                except ValidationError as error:
                    raise self.fault(label, error) from None
        finally:
            loader.dispose()

    def fault(self, label: str, error: ValidationError, under: str | None = None) -> ValueError:
        """A `ValueError` with file and line for what pydantic found in a label's entry, or in its part `under`."""
        first = error.errors()[0]
        place: tuple[str | int, ...] = (*([under] if under else []), *first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        if first["type"] == "extra_forbidden":
            message = "unknown key"
            model = LanguageEntry if len(place) == 1 else None
            message += _nearest(str(place[-1]), list(model.model_fields)) if model else ""
        where = ".".join(str(part) for part in (label, *place))
        return ValueError(f"{self.path}:{self._line(self._labels[label], place)}: {where}: {message}")

    def _checked_root(self, root: object) -> dict[str, yaml.MappingNode]:
        # The nodes of the labels, in the order of the file.
        if not isinstance(root, yaml.MappingNode):
            raise ValueError(f"{self.path}:1: no languages file: expected `format: {FORMAT}` and `labels:`")  # noqa: TRY004
        self._check_keys(root, "the file")
        keys = {key.value: (key, value) for key, value in root.value}
        for name, (key, _) in keys.items():
            if name not in _KEYS:
                raise self._problem(key, f"{name}: unknown key{_nearest(name, list(_KEYS))}")
        if "format" not in keys or keys["format"][1].value != str(FORMAT):
            raise ValueError(f"{self.path}:1: `format: {FORMAT}` is missing: is it a languages file?")
        if "model" in keys:
            self.model = self._name(keys["model"][1])
        labels = keys["labels"][1] if "labels" in keys else None
        if not isinstance(labels, yaml.MappingNode):
            raise ValueError(f"{self.path}:1: `labels:` with an entry for each language is missing")  # noqa: TRY004
        self._check_keys(labels, "labels")
        for key, value in labels.value:
            if not LABEL.fullmatch(key.value):
                raise self._problem(
                    key, f"{key.value}: no label: it has a language of ISO 639-3 and a script, as deu_Latn has"
                )
            if not isinstance(value, yaml.MappingNode):
                raise self._problem(value, f"{key.value}: expected a mapping, e.g. {{language_score: 0.8}}")
        return {key.value: value for key, value in labels.value}

    def _name(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._problem(node, "model: expected the name of a language model")
        return str(node.value)

    def _check_keys(self, node: yaml.MappingNode, name: str) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._problem(key, f"{name}: a key must be a word")
            if key.value in seen:
                raise self._problem(key, f"{key.value}: stands twice in {name}")
            seen.add(key.value)

    def _problem(self, node: yaml.Node, message: str) -> ValueError:
        return ValueError(f"{self.path}:{node.start_mark.line + 1}: {message}")

    def _line(self, node: yaml.Node, place: tuple[str | int, ...]) -> int:
        # The line of a key or an item, or of the nearest thing that holds it.
        line = int(node.start_mark.line) + 1
        for part in place:
            if isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == part]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                found = [(value, value) for value in node.value[part : part + 1]]
            else:
                found = []
            if not found:
                break
            line, node = int(found[0][0].start_mark.line) + 1, found[0][1]
        return line


class Stamp(NamedTuple):
    """A file as it is now, for who keeps what was made of it: a file of half a second for thousands of parts."""

    path: str
    size: int
    time_ns: int
    """When it was changed."""


def stamp(path: str) -> Stamp:
    """The stamp of a file. Raises OSError where it cannot be looked at."""
    found = Path(path).stat()
    return Stamp(path, found.st_size, found.st_mtime_ns)


def read(path: str) -> Mapping[str, LanguageEntry]:
    """The entries of a languages file by label. Raises `ValueError` as `LanguagesFile` does."""
    return LanguagesFile(path).entries


def languages_text(entries: Mapping[str, LanguageEntry], head: str, model: str | None = None) -> str:
    """The file's text: `head` as comment lines, then the `model` of its scores, then the entries, sorted by label.

    Numbers are written so that they are read back equal, and every stop word in quotes where YAML would take it for
    something else ("no", "on", "1").
    """
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    named = [f"model: {json.dumps(model)}"] if model is not None else []
    lines += [f"format: {FORMAT}", *named, "labels:" if entries else "labels: {}"]
    for label in sorted(entries):
        values = entries[label].model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        text = yaml.dump(values, allow_unicode=True, default_flow_style=True, sort_keys=False, width=1 << 20)
        lines.append(f"  {label}: {text.strip()}")
    return "\n".join(lines) + "\n"


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; valid are: {', '.join(sorted(names))}"
