"""A file of probes: what is planted, how often, and where in the file that stands.

JSONL has one probe a line, `{"id": …, "text": …, "repetitions": 4, "kind": "passage", "bucket": "4"}`. YAML has the
same below `probes:`, and may have random texts below `canaries:` (`canaries`). A file whose first character is `{` is
JSONL. No two probes of a file have one id or one text: their repetitions would add up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator

from lauter.pipeline.contract import StageConfig
from lauter.pipeline.planting import Drawn
from lauter.stages.read.probes.canaries import PLACE, CanaryEntry, canary

MAX_REPETITIONS = 1 << 20
MAX_TEXT_BYTES = 1 << 20
"""Bytes of a probe's text: a Gutenberg probe of Apertus has some 40 KB."""

Entry = TypeVar("Entry", bound=StageConfig)


class ProbeEntry(StageConfig):
    """One probe of a file."""

    id: Annotated[str, Field(min_length=1, max_length=1000)]
    """Repetition k of it has the identifier `ID#k`."""
    text: str
    repetitions: int = Field(default=1, ge=0, le=MAX_REPETITIONS)
    """Records that it becomes; 0 for a control, which is listed and not planted."""
    kind: Annotated[str, Field(min_length=1, max_length=100)] = "passage"
    """What it is, in a word of your own."""
    bucket: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """The group it is listed in; none: its kind and its repetitions."""

    @field_validator("text")
    @classmethod
    def _is_a_text(cls, text: str) -> str:
        return _plantable(text)


class Probe(NamedTuple):
    """A probe, and the bytes of the file that it is from."""

    id: str
    text: str
    repetitions: int
    kind: str
    bucket: str
    start: int
    end: int
    drawn: Drawn | None = None


def probes_of(content: bytes) -> list[Probe]:
    """The probes of a file, in its order. Raises ValueError, with the line, for a file that cannot be used."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line}: not UTF-8") from error
    shift = len(content) - len(text.encode())
    found = _from_lines(text, shift) if text.lstrip()[:1] == "{" else _from_yaml(text, shift)
    probes: list[Probe] = []
    ids: dict[str, int] = {}
    texts: dict[str, int] = {}
    for line, probe, mend in found:
        for held, what, value, more in ((ids, "id", probe.id, ""), (texts, "text", probe.text, mend)):
            if value in held:
                where = f"line {line}: this {what} stands in line {held[value]} already"
                raise ValueError(f"{where}: {value[:60]!r}{more}")
            held[value] = line
        probes.append(probe)
    if not probes:
        raise ValueError("holds no probe")
    return probes


def _from_lines(text: str, shift: int) -> Iterator[tuple[int, Probe, str]]:
    start = shift
    for number, line in enumerate(text.split("\n"), start=1):
        end = start + len(line.encode())
        if line.strip():
            try:
                value: Any = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number}: no JSON: {error}") from error
            yield number, _probe(_checked(ProbeEntry, value, number), start, end), ""
        start = end + 1


def _from_yaml(text: str, shift: int) -> Iterator[tuple[int, Probe, str]]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data: Any = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"line {line}: no valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"no valid YAML: {error}") from error
    if not isinstance(data, dict) or not isinstance(root, yaml.MappingNode):
        raise ValueError("line 1: expected a mapping with `probes:` or `canaries:`")  # noqa: TRY004 - the file is wrong
    keys: set[str] = set()
    for key, node in root.value:
        line = key.start_mark.line + 1
        if key.value not in ("probes", "canaries"):
            raise ValueError(f"line {line}: unknown key {key.value!r}; valid are `probes` and `canaries`")
        if key.value in keys:
            raise ValueError(f"line {line}: {key.value} stands twice")
        keys.add(key.value)
        if not isinstance(node, yaml.SequenceNode):
            raise ValueError(f"line {line}: `{key.value}` is a list")  # noqa: TRY004 - the file is wrong
        starts = byte_offsets(text, (item.start_mark.index for item in node.value))
        ends = byte_offsets(text, (item.end_mark.index for item in node.value))
        for value, item, first, last in zip(data[key.value], node.value, starts, ends, strict=True):
            line, start, end = item.start_mark.line + 1, shift + first, shift + last
            if key.value == "probes":
                yield line, _probe(_checked(ProbeEntry, value, line), start, end), ""
                continue
            entry = _checked(CanaryEntry, value, line)
            mend = (
                f"; `length` {entry.length} and {len(entry.alphabet)} characters in `alphabet` make too few texts to "
                "draw from: raise one or both"
            )
            place = entry.form.index(PLACE)
            drawn = Drawn(place, place + entry.length, entry.alphabet)
            for number in range(1, entry.count + 1):
                name = f"{entry.bucket}:{number}"
                try:
                    made = _plantable(canary(entry, number))
                except ValueError as error:
                    raise ValueError(f"line {line}: {error}") from error
                yield line, Probe(name, made, entry.repetitions, "canary", entry.bucket, start, end, drawn), mend


def byte_offsets(text: str, indexes: Iterable[int]) -> Iterator[int]:
    """How many bytes of UTF-8 stand before each place of a text, counted on from place to place where they rise.

    >>> list(byte_offsets("für uns", [1, 2, 7, 2]))
    [1, 3, 8, 3]
    """
    at = count = 0
    for index in indexes:
        # An alias of YAML stands where its anchor does.
        if index < at:
            at = count = 0
        count += len(text[at:index].encode())
        at = index
        yield count


def _plantable(text: str) -> str:
    """The text itself. Raises ValueError where it is none."""
    if not text or text.isspace():
        raise ValueError("a probe needs a text")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise ValueError(f"the text has more than {MAX_TEXT_BYTES:,} bytes")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("the text has half a surrogate pair, which is no character") from error
    return text


def _probe(entry: ProbeEntry, start: int, end: int) -> Probe:
    bucket = entry.bucket or f"{entry.kind}-{entry.repetitions}"
    return Probe(entry.id, entry.text, entry.repetitions, entry.kind, bucket, start, end)


def _checked(model: type[Entry], value: object, line: int) -> Entry:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise ValueError(f"line {line}: {where}{first['msg'].removeprefix('Value error, ')}") from error
