"""What happened to a record, told in plain sentences, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.schema import RATIO_SCALE, SCORE

SCORES = 6
"""Scores of a stage that are told; `explain` lists all of them below its story, as they are stored."""

WHOLE = ("stop_words",)
"""Scores of 16 bits that are counts and have no scale."""

MEANS = ("mean_word_length", "mean_line_length")
"""Scores in hundredths."""

SCALES = {
    field.name: 100 if field.name in MEANS else RATIO_SCALE
    for field in SCORE
    if field.name in MEANS or ("uint16" in str(field.type) and field.name not in WHOLE)
}
"""What a stored score is divided by to be told (`schema.SCORE`)."""


def story(row: Mapping[str, Any], order: Sequence[str], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """(stage, sentence) from reading to the shard, of a row of `explain`.

    `order`: the stages of the corpus, `read` first. A stage may tell its own part: a classmethod `tell(row) -> str`, in
    words that stand after its name; the others are told from the reason and from the scores that they wrote.
    """
    yield "read", _read(row)
    if row["stage"] == "read" and row["verdict"] != "kept":
        yield "end", _end(row)
        return
    if row["verdict"] == "removed" and row["shard"] is None:
        yield from _removed(row, order, catalogue)
        return
    soft = row.get("decision") or {}
    for name in order[1:]:
        cls = _class(name, catalogue)
        ended = row["stage"] == name and row["verdict"] in ("dropped", "error") and soft.get("stage") != name
        told = cls.tell(row) if hasattr(cls, "tell") else None
        if ended:
            yield name, told or f"ends here: {_reason(row['reason'], row['rule'])}"
            yield "end", _end(row)
            return
        if soft.get("stage") == name:
            yield name, f"objects: {_reason(soft['reason'], soft['rule'])}{_scores(row, cls)}"
        elif row["stage"] == name and row["verdict"] == "duplicate":
            yield name, _copy(row, soft)
        elif told is not None:
            yield name, told
        elif name in catalogue.barriers:
            size = soft.get("cluster_size")
            copies = f"kept, one of {size} in its cluster" if size else "no copy of it was found"
            dropped = f"; a copy of record {soft['mirror_of']}, which was dropped" if soft.get("mirror_of") else ""
            yield name, copies + dropped
        elif name in catalogue.cutters:
            yield name, "cuts nothing of it"
        else:
            yield name, f"nothing against it{_scores(row, cls)}"
    if row["verdict"] == "removed":
        yield "takedown", _takedown(row)
    yield "end", _end(row)


WHY = {
    "exact-duplicate": "the same text to the byte",
    "near-duplicate": "texts that are alike",
    "same-url": "the same URL",
    "same-payload": "the same payload to the byte",
}
"""What a document has in common with the one that it is a copy of, by the ledger's reason."""


def _copy(row: Mapping[str, Any], soft: Mapping[str, Any]) -> str:
    """Why a document is a copy, and of what."""
    original = row.get("original")
    of = (original and original["url"]) or f"record {row['duplicate_of']}"
    size = f"; one of {soft['cluster_size']} in its cluster" if soft.get("cluster_size") else ""
    alike = ""
    if "similarity" in row:
        estimate, error = row["similarity"]["estimate"], row["similarity"]["error"]
        alike = f" (similarity {estimate:.2f}, give or take {error:.2f}, by their sketches)"
    why = WHY.get(row["reason"], "as its stage says")
    return f"finds a copy: {row['reason']} of {of}{_whose(row)}, {why}{alike}{size}"


def _whose(row: Mapping[str, Any]) -> str:
    """Where the original stands: in a source of this corpus, or in an older one."""
    original = row.get("original")
    if original is None:
        unread = ", ".join(row.get("unread") or ())
        return f" of an older corpus{f' ({unread} cannot be read)' if unread else ''}"
    older = f", which stands in the older corpus {original['corpus']}" if "corpus" in original else ""
    return f" of source {original['source']}{older}"


def _removed(row: Mapping[str, Any], order: Sequence[str], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Of a record that was removed after another end, which is forgotten: only what is still known."""
    soft = row.get("decision") or {}
    for name in order[1:]:
        cls = _class(name, catalogue)
        told = cls.tell(row) if hasattr(cls, "tell") else None
        if soft.get("stage") == name:
            yield name, f"objected: {soft['reason']}"
        elif told is not None:
            yield name, told
        elif name in catalogue.barriers and soft.get("cluster_size"):
            yield name, f"one of {soft['cluster_size']} in its cluster"
        else:
            yield name, "was not asked, or what it said is forgotten with the takedown"
    yield "takedown", _takedown(row)
    yield "end", _end(row)


def _takedown(row: Mapping[str, Any]) -> str:
    """The demand that removed a record, from `takedown` of its `explain` row."""
    said = row["takedown"]
    parts = [f"removed by a demand of kind {said['kind']}"]
    parts += [f"takedown {said['number']}"] if said["number"] else []
    parts += [f"reason: {said['reason']}" if said["reason"] else "no reason given"]
    parts += [f"made on {said['date']}"] if said["date"] else []
    parts += [f"receipt {said['receipt']}"] if said["receipt"] else []
    rule = row["rule"]
    if rule is not None:
        where = [rule["signal"], f"line {rule['line']}" if rule["line"] else None, rule["agent"]]
        parts += [f"a rule had ended it before: {', '.join(item for item in where if item)}"]
    return "; ".join(parts)


def _class(name: str, catalogue: Catalogue) -> Any:  # noqa: ANN401 - a stage of any kind, None for a user's own
    target = {**catalogue.stages, **catalogue.barriers, **catalogue.cutters}.get(name)
    return load_target(target, "") if target else None


def _read(row: Mapping[str, Any]) -> str:
    when = f", fetched {row['fetched_at']}" if row["fetched_at"] else ""
    return f"from {row['file']} of source {row['source']}, {row['length']:,} bytes at {row['offset']:,}{when}"


def _reason(reason: str | None, rule: Mapping[str, Any] | None) -> str:
    words = str(reason)
    if rule is not None and rule["text"]:
        words += f" ({rule['text']})"
    return words


def _scores(row: Mapping[str, Any], cls: Any) -> str:  # noqa: ANN401 - a stage of any kind, or None
    scores = row.get("scores") or {}
    mine = [name for name in (cls.scores.names if hasattr(cls, "scores") else ()) if name in scores][:SCORES]
    return f" ({', '.join(f'{name} {_told(name, scores[name])}' for name in mine)})" if mine else ""


def _told(name: str, value: Any) -> str:  # noqa: ANN401 - a score, a list of them, or what scores something named
    """A score in its own scale, to four places: a ratio as 0.9327, a mean length as 5.88."""
    if isinstance(value, list):
        return "/".join(_told(name, item) for item in value)
    if isinstance(value, Mapping):
        return " ".join(_told(name, item) for item in value.values())
    if isinstance(value, str):
        return value
    return f"{value / SCALES[name]:.4f}".rstrip("0").rstrip(".") if name in SCALES else str(value)


def _end(row: Mapping[str, Any]) -> str:
    if row["verdict"] in ("kept", "removed") and row["shard"] is not None:
        place = f"row {row['row']} of tokens/{row['stream']}/{row['shard']:05d}.parquet, {row['tokens']:,} tokens"
        return f"kept: {place}" if row["verdict"] == "kept" else f"removed by a takedown: padding at {place}"
    if row["verdict"] == "removed":
        return "removed by a takedown; it had no place in the corpus before"
    if row["verdict"] == "duplicate":
        original = row.get("original")
        of = (original and original["url"]) or row["duplicate_of"]
        older = not original or "corpus" in original
        return f"left out as a copy of {of}{' of an older corpus' if older else ''}"
    return f"{row['verdict']}: {row['reason']}"
