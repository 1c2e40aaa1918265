"""Columns of the compiled index and of what is shuffled to make it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from lauter.stages.optout.index.terms import SIGNAL_NAMES
from lauter.stages.optout.robots.rules import Rule, RuleSet
from lauter.stages.optout.signals.statement import Statement

OUTCOMES = ("rules", "allow", "unreachable", "unparsable", "forbidden", "missing")
"""What an answer amounts to: it denies something to the policy's agents, it denies them nothing (an empty or silent
file, 4xx), no answer (5xx, network failure, a redirect that leads nowhere), bytes that are no such file, a refusal to
show it (401, 403); `missing`: of the origin only other files are known."""
PENDING = (*OUTCOMES, "redirect", "revisit")
"""The same before references are followed."""

HEAD_BYTES = 8
"""Bytes of a path behind its first that are compared at once (`RULE.head`)."""

_TIME = pa.timestamp("s", tz="UTC")

RULE = pa.struct(
    [
        pa.field("allow", pa.uint8(), nullable=False),
        pa.field("anchored", pa.uint8(), nullable=False),
        pa.field("head_bytes", pa.uint8(), nullable=False),
        pa.field("head", pa.uint64(), nullable=False),
        pa.field("line", pa.int32(), nullable=False),
        pa.field("path", pa.large_binary(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
"""`head`: the bytes of the path behind the first up to its first star, at most HEAD_BYTES, the first the lowest;
`head_bytes` is their number. `text` is empty for a rule that allows: it is evidence of nothing. Flags are 0 or 1 in
bytes, so that a kernel reads the mapped file as it is."""
SET = pa.struct(
    [
        pa.field("agent", pa.string(), nullable=False),
        pa.field("agents", pa.binary(), nullable=False),
        pa.field("signal", pa.int8(), nullable=False),
        pa.field("file", pa.int8(), nullable=False),
        pa.field("first_match", pa.uint8(), nullable=False),
        pa.field("rules", pa.large_list(RULE), nullable=False),
    ]
)
"""`agents`: bit i % 8 of byte i // 8 says that agent i of the index's metadata obeys. `signal` counts in
`terms.SIGNAL_NAMES`. `file`: 0 for the origin's robots.txt, i for `files[i - 1]`."""
RULES = pa.large_list(SET)
"""Sets of rules in the order in which they count."""

FILE = pa.struct(
    [
        pa.field("kind", pa.int8(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("status", pa.int32()),
        pa.field("fetched_at", _TIME),
        pa.field("sha256", pa.binary(32)),
        pa.field("outcome", pa.int8(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
    ]
)
"""A file besides robots.txt. `kind` counts in `answer.KINDS`, `outcome` in OUTCOMES; `url`: of an RSL document."""

STATEMENT = pa.struct(
    [
        pa.field("signal", pa.int8(), nullable=False),
        pa.field("says", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("agents", pa.list_(pa.string()), nullable=False),
        pa.field("line", pa.int32()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("url", pa.string()),
    ]
)
"""A `statement.Statement`; `url`: of a pointer to licence terms, where they are."""
STATEMENTS = pa.large_list(STATEMENT)

REFERENCE = pa.struct(
    [pa.field("record_id", pa.string()), pa.field("name", pa.string()), pa.field("fetched_at", pa.int64())]
)
"""Type of the column `refers_to`: an `answer.Reference`."""

ANSWER = pa.schema(
    [
        pa.field("id", pa.uint64(), nullable=False),
        pa.field("name", pa.large_string(), nullable=False),
        pa.field("kind", pa.int8(), nullable=False),
        pa.field("status", pa.int32()),
        pa.field("fetched_at", _TIME),
        pa.field("sha256", pa.binary(32)),
        pa.field("outcome", pa.int8(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("target", pa.string()),
        pa.field("sets", RULES, nullable=False),
        pa.field("statements", STATEMENTS, nullable=False),
        pa.field("record_id", pa.string()),
        pa.field("refers_to", REFERENCE),
    ]
)
"""One archived answer. `name`: the origin, or the URL of an RSL document; `id`: its `origin_id`; `kind` counts in
`answer.KINDS`, `outcome` in PENDING; `target`: the name to which a redirect leads, if that can be in a snapshot."""

SETTLED = pa.schema([field for field in ANSWER if field.name not in ("record_id", "refers_to")])
"""The answers that count, ascending by (id, name, kind, fetched_at)."""

INDEX = pa.schema(
    [
        pa.field("origin_id", pa.uint64(), nullable=False),
        pa.field("origin", pa.large_string(), nullable=False),
        pa.field("since", _TIME),
        pa.field("status", pa.int32()),
        pa.field("fetched_at", _TIME),
        pa.field("sha256", pa.binary(32)),
        pa.field("outcome", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("redirected_to", pa.string()),
        pa.field("unread", pa.uint8(), nullable=False),
        pa.field("files", pa.large_list(FILE), nullable=False),
        pa.field("sets", RULES, nullable=False),
    ]
)
"""Columns of robots.arrow, ascending by (origin_id, origin, since): one row an origin, or one for each time at which
any of its files was fetched (`Terms.every_version`), in force from `since` on (null: always). `status`, `fetched_at`,
`sha256`, `outcome` and `truncated` are of its robots.txt (all but `fetched_at` of the answer behind `redirected_to`
where there is one; `truncated`: the file was longer than what was read), `files` are its other files, `sets` what all
of them deny. `unread`: bit i for a file of kind i (not robots.txt) that is unparsable, bit 4 + i for one that could not
be reached."""

LOST, AGENTS, ROWS = b"lost", b"agents", b"rows"
"""Keys of the schema's metadata: in how many places bytes of the snapshot were lost, the agents as a JSON list, and the
number of rows."""

SAID = pa.struct(
    [
        pa.field("signal", pa.string(), nullable=False),
        pa.field("says", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("agents", pa.list_(pa.string()), nullable=False),
        pa.field("line", pa.int32()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("sha256", pa.binary(32)),
    ]
)
"""A statement in origins.parquet, with the kind and digest of the file in which it stands."""


def rules_array(rows: Iterable[Sequence[RuleSet]], agents: Sequence[str] = ()) -> pa.LargeListArray:
    """Sets of rules, one sequence an origin, as a column of type RULES. `agents` are the index's."""
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
    heads = [_head(rule.path) for rule in rules]
    flat = pa.StructArray.from_arrays(
        [
            pa.array(np.array([r.allow for r in rules], np.uint8)),
            pa.array(np.array([r.anchored for r in rules], np.uint8)),
            pa.array(np.array([len(head) for head in heads], np.uint8)),
            pa.array(np.array([int.from_bytes(head, "little") for head in heads], np.uint64)),
            pa.array([r.line for r in rules], pa.int32()),
            pa.array([r.path for r in rules], pa.large_binary()),
            pa.array(["" if r.allow else r.text for r in rules], pa.large_string()),
        ],
        fields=list(RULE),
    )
    bits = {agent: 1 << i for i, agent in enumerate(agents)}
    size = (len(agents) + 7) // 8
    nested = pa.StructArray.from_arrays(
        [
            pa.array([s.agent for s in sets], pa.string()),
            pa.array([sum(bits.get(a, 0) for a in s.agents).to_bytes(size, "little") for s in sets], pa.binary()),
            pa.array([SIGNAL_NAMES.index(s.signal) for s in sets], pa.int8()),
            pa.array(np.zeros(len(sets), np.int8)),
            pa.array(np.array([s.first_match for s in sets], np.uint8)),
            pa.LargeListArray.from_arrays(pa.array(rule_ends, pa.int64()), flat, type=pa.large_list(RULE)),
        ],
        fields=list(SET),
    )
    return pa.LargeListArray.from_arrays(pa.array(set_ends, pa.int64()), nested, type=RULES)


def _head(path: bytes) -> bytes:
    return b"" if path[:1] == b"*" else path[1 : 1 + HEAD_BYTES].partition(b"*")[0]


def statements_array(rows: Iterable[Sequence[tuple[Statement, str | None]]]) -> pa.LargeListArray:
    """Statements with the URL of a pointer, one sequence an answer, as a column of type STATEMENTS."""
    ends = [0]
    flat: list[tuple[Statement, str | None]] = []
    for row in rows:
        flat += row
        ends.append(len(flat))
    values = pa.StructArray.from_arrays(
        [
            pa.array([SIGNAL_NAMES.index(one.signal) for one, _ in flat], pa.int8()),
            pa.array([one.says for one, _ in flat], pa.string()),
            pa.array([_clean(one.path) for one, _ in flat], pa.string()),
            pa.array([[_clean(agent) for agent in one.agents] for one, _ in flat], pa.list_(pa.string())),
            pa.array([one.line for one, _ in flat], pa.int32()),
            pa.array([one.text for one, _ in flat], pa.string()),
            pa.array([url for _, url in flat], pa.string()),
        ],
        fields=list(STATEMENT),
    )
    return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), values, type=STATEMENTS)


def _clean(text: str) -> str:
    # Undecodable bytes of a file are surrogates here, and have no UTF-8.
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
