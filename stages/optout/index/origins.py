"""The compiled opt-out index: one Arrow file, memory-mapped by every worker, asked a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.origin import origin_id, resolve_dots
from lauter.stages.optout.index.match import NO_DENIAL, OVER_LIMIT, STEP_LIMIT, first_denials, rewrite_targets
from lauter.stages.optout.robots.rules import Rule, RuleSet

OUTCOMES = ("rules", "allow", "unreachable", "unparsable", "forbidden")
"""What the newest snapshot of an origin amounts to: rules for the policy's agents, no rule for any of them (an empty or
silent file, 4xx), no answer (5xx, network failure, a redirect that leads nowhere), bytes that are no robots.txt, or a
refusal to show it (401, 403)."""

_RULE = pa.struct(
    [
        pa.field("allow", pa.uint8(), nullable=False),
        pa.field("anchored", pa.uint8(), nullable=False),
        pa.field("line", pa.int32(), nullable=False),
        pa.field("path", pa.large_binary(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
_SET = pa.struct(
    [
        pa.field("agent", pa.string(), nullable=False),
        pa.field("first_match", pa.uint8(), nullable=False),
        pa.field("rules", pa.large_list(_RULE), nullable=False),
    ]
)
RULES = pa.large_list(_SET)
"""Sets of rules in the order in which they count (`rules.rule_sets`). Flags are 0 or 1 in bytes, so that a kernel reads
the mapped file as it is. `text` is empty for a rule that allows: it is evidence of nothing."""

INDEX = pa.schema(
    [
        pa.field("origin_id", pa.uint64(), nullable=False),
        pa.field("origin", pa.large_string(), nullable=False),
        pa.field("status", pa.int32()),
        pa.field("fetched_at", pa.timestamp("s", tz="UTC")),
        pa.field("sha256", pa.binary(32)),
        pa.field("outcome", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("redirected_to", pa.string()),
        pa.field("sets", RULES, nullable=False),
    ]
)
"""Columns of robots.arrow, one row per origin, ascending by (origin_id, origin). `status` and `sha256` are those of the
answer that counts (behind `redirected_to` where there is one); `truncated`: the file was longer than what was read. The
schema's metadata has under LOST in how many places bytes of the snapshot were lost."""

LOST = b"lost"


class Denial(NamedTuple):
    """The evidence of one opt-out."""

    agent: str
    line: int
    """1-based."""
    text: str


@dataclass(frozen=True, slots=True)
class RuleTable:
    """The nested column `sets`, as flat views for the kernel."""

    sets: NDArray[np.int64]
    agent: pa.StringArray
    first_match: NDArray[np.uint8]
    rules: NDArray[np.int64]
    allow: NDArray[np.uint8]
    anchored: NDArray[np.uint8]
    line: pa.Int32Array
    paths: NDArray[np.int64]
    path_data: NDArray[np.uint8]
    text: pa.LargeStringArray

    @classmethod
    def of(cls, column: pa.LargeListArray) -> RuleTable:
        """Views of a column of type RULES; nothing is copied."""
        sets = column.values
        rules = sets.field("rules").values
        path = rules.field("path")
        offsets, data = _binary_views(path)
        return cls(
            sets=column.offsets.to_numpy(),
            agent=sets.field("agent"),
            first_match=sets.field("first_match").to_numpy(),
            rules=sets.field("rules").offsets.to_numpy(),
            allow=rules.field("allow").to_numpy(),
            anchored=rules.field("anchored").to_numpy(),
            line=rules.field("line"),
            paths=offsets,
            path_data=data,
            text=rules.field("text"),
        )

    def denials(self, rows: NDArray[np.int64], targets: Sequence[str]) -> NDArray[np.int64]:
        """For each (row of the column, target), the index of the rule that denies it, NO_DENIAL or OVER_LIMIT."""
        out = self._denials(rows, targets)
        # Clients resolve `.`, `..` and backslashes, some before they ask: what denies either form denies both.
        dotted = [(i, t) for i, t in enumerate(targets) if "/." in t or "\\" in t or "%2" in t]
        resolved = [(i, path) for i, t in dotted if (path := resolve_dots(t)) != t]
        if resolved:
            again = np.array([i for i, _ in resolved])
            also = self._denials(rows[again], [path for _, path in resolved])
            out[again] = np.where(out[again] == NO_DENIAL, also, out[again])
        return out

    def _denials(self, rows: NDArray[np.int64], targets: Sequence[str]) -> NDArray[np.int64]:
        column = pa.array([t.encode("utf-8", "surrogatepass") for t in targets], pa.large_binary())
        offsets, data = _binary_views(column)
        canonical, canonical_ends = _rewritten(data, offsets, 0)
        unescaped, unescaped_ends = (
            (canonical, canonical_ends) if not self.first_match.any() else _rewritten(data, offsets, 1)
        )
        out = np.empty(len(rows), np.int64)
        first_denials(
            rows,
            canonical,
            canonical_ends,
            unescaped,
            unescaped_ends,
            self.sets,
            self.first_match,
            self.rules,
            self.allow,
            self.anchored,
            self.paths,
            self.path_data,
            STEP_LIMIT,
            out,
        )
        # RFC 9309 section 2.2.2: the file itself may always be read, whatever it says.
        for i, target in enumerate(targets):
            if target == "/robots.txt" or target.startswith("/robots.txt?"):
                out[i] = -1
        return out

    def evidence(self, rules: pa.Int64Array) -> tuple[pa.StringArray, pa.Int32Array, pa.StringArray]:
        """Agents, 1-based lines and texts of rule indices of `denials`; null for null."""
        valid = rules.is_valid().to_numpy(zero_copy_only=False)
        owner = np.searchsorted(self.rules, rules.fill_null(0).to_numpy(), side="right") - 1
        return (
            self.agent.take(pa.array(owner, mask=~valid)),
            self.line.take(rules),
            self.text.take(rules).cast(pa.string()),
        )


class OriginIndex:
    """A compiled index, opened read-only."""

    def __init__(self, path: str) -> None:
        self._table = read_index(path)
        self.origin_id: NDArray[np.uint64] = self._table.column("origin_id").to_numpy()
        self.origin: pa.LargeStringArray = self._table.column("origin")
        self.outcome: NDArray[np.int8] = self._table.column("outcome").indices.to_numpy()
        """Indices into OUTCOMES."""
        self.rules = RuleTable.of(self._table.column("sets"))
        self.lost = int((self._table.schema.metadata or {}).get(LOST, b"0")) > 0
        """Whether an origin that is not here may have been in the snapshot."""

    def find(self, origins: Sequence[str]) -> NDArray[np.int64]:
        """The row of each normalised origin, -1 where the snapshot has none."""
        return find_rows(self.origin_id, self.origin, origins)

    def status(self, rows: pa.Int64Array) -> pa.Int32Array:
        """The HTTP status that counts for each row; null where nothing answered, and for null."""
        return self._table.column("status").take(rows)


def find_rows(ids: NDArray[np.uint64], origin: pa.LargeStringArray, wanted: Sequence[str]) -> NDArray[np.int64]:
    """The row of each wanted origin, -1 where there is none. `ids` ascend; equal ids are told apart by the string."""
    wanted_ids = np.fromiter((origin_id(o) for o in wanted), np.uint64, len(wanted))
    rows = np.searchsorted(ids, wanted_ids).astype(np.int64)
    for i, name in enumerate(wanted):
        row = int(rows[i])
        while row < len(ids) and ids[row] == wanted_ids[i] and origin[row].as_py() != name:
            row += 1
        rows[i] = row if row < len(ids) and ids[row] == wanted_ids[i] else -1
    return rows


def read_index(path: str) -> pa.RecordBatch:
    """The one record batch of a robots.arrow, memory-mapped."""
    return pa.ipc.open_file(pa.memory_map(path)).get_batch(0)


def rules_array(rows: Iterable[Sequence[RuleSet]]) -> pa.LargeListArray:
    """Sets of rules, one sequence an origin, as a column of type RULES."""
    # Flat lists: a dictionary a rule would take eight times the memory of the column.
    set_ends, rule_ends = [0], [0]
    sets: list[RuleSet] = []
    rules: list[Rule] = []
    for row in rows:
        sets += row
        set_ends.append(len(sets))
        for one in row:
            rules += one.rules
            rule_ends.append(len(rules))
    flat = pa.StructArray.from_arrays(
        [
            pa.array(np.array([r.allow for r in rules], np.uint8)),
            pa.array(np.array([r.anchored for r in rules], np.uint8)),
            pa.array([r.line for r in rules], pa.int32()),
            pa.array([r.path for r in rules], pa.large_binary()),
            pa.array(["" if r.allow else r.text for r in rules], pa.large_string()),
        ],
        fields=list(_RULE),
    )
    nested = pa.StructArray.from_arrays(
        [
            pa.array([s.agent for s in sets], pa.string()),
            pa.array(np.array([s.first_match for s in sets], np.uint8)),
            pa.LargeListArray.from_arrays(pa.array(rule_ends, pa.int64()), flat, type=pa.large_list(_RULE)),
        ],
        fields=list(_SET),
    )
    return pa.LargeListArray.from_arrays(pa.array(set_ends, pa.int64()), nested, type=RULES)


def decide(sets: Sequence[RuleSet], target: str) -> Denial | None:
    """The first denial of a target (path and query) by the sets of one file; None where none denies it.

    Raises `ValueError` if the rules cannot be matched within STEP_LIMIT comparisons.
    """
    if not sets:
        return None
    table = RuleTable.of(rules_array([sets]))
    rule = int(table.denials(np.zeros(1, np.int64), [target])[0])
    if rule == OVER_LIMIT:
        raise ValueError(f"rules need more than {STEP_LIMIT} comparisons for {target[:80]!r}")
    if rule < 0:
        return None
    agent, line, text = table.evidence(pa.array([rule], pa.int64()))
    return Denial(agent[0].as_py(), line[0].as_py(), text[0].as_py())


def _binary_views(array: pa.LargeBinaryArray) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    _, offsets, data = array.buffers()
    start = array.offset
    return (
        np.frombuffer(offsets, np.int64)[start : start + len(array) + 1] if offsets else np.zeros(1, np.int64),
        np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8),
    )


def _rewritten(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], legacy: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    out = np.empty(3 * int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.empty(len(offsets), np.int64)
    rewrite_targets(data, offsets, legacy, out, ends)
    return out, ends
