"""What stands in the place of a removed record, file by file. Blanking what is blank changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import exchange, schema

REMOVED = "removed"
STAGE = "takedown"
"""The stage that the ledger names for a removed record; the reason is the kind of the demand."""

EMPTY_SHA256 = hashlib.sha256(b"").digest()
KEPT_COLUMNS = ("doc_id", "row", "url", "fetched_at")
"""Identity: what stays of a document, of its scores and of its decision."""
DECISION_COLUMNS = ("stage", "reason", "cluster", "cluster_size")
"""What else stays of a decision: names of stages, and numbers of clusters by which copies are found later."""

Mask = NDArray[np.bool_]


def blank_value(field: pa.Field) -> object:
    """None, or the emptiest value of a column that has no nulls."""
    kind = field.type
    if field.nullable:
        return None
    if field.name == "text_sha256":
        return EMPTY_SHA256
    if pa.types.is_fixed_size_binary(kind):
        return bytes(kind.byte_width)
    if pa.types.is_fixed_size_list(kind):
        return [blank_value(kind.value_field)] * kind.list_size
    if pa.types.is_struct(kind):
        return {member.name: blank_value(member) for member in kind}
    if pa.types.is_nested(kind):
        return []
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return b""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return "" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else 0


def with_values(table: pa.Table, mask: Mask, values: Mapping[str, object]) -> pa.Table:
    """The table with the given value of each named column in the rows of the mask; the bytes that stood there go."""
    index = pa.array(np.where(mask, table.num_rows, np.arange(table.num_rows)))
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if field.name in values:
            if pa.types.is_dictionary(field.type):
                column = column.cast(field.type.value_type)
            whole = exchange.one_chunk(column)
            value = pa.array([values[field.name]], whole.type)
            column = pa.concat_arrays([whole, value]).take(index)
            if pa.types.is_dictionary(field.type):
                column = column.dictionary_encode().cast(field.type)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=table.schema)


def without_text(table: pa.Table, mask: Mask, *kept: str) -> pa.Table:
    """The table with all columns but identity and the kept ones blank in the rows of the mask."""
    left = {*KEPT_COLUMNS, *kept}
    return with_values(table, mask, {f.name: blank_value(f) for f in table.schema if f.name not in left})


def without_rule_text(table: pa.Table, mask: Mask) -> pa.Table:
    """The table with evidence that names agent, signal and line, and no words, in the rows of the mask."""
    rule = exchange.one_chunk(table.column("rule"))
    names = [field.name for field in schema.RULE]
    members = [pc.struct_field(rule, name) for name in names]
    members[names.index("text")] = pc.if_else(
        pa.array(mask), pa.scalar(None, pa.string()), members[names.index("text")]
    )
    blanked = pa.StructArray.from_arrays(members, fields=list(schema.RULE), mask=pc.is_null(rule))
    return table.set_column(table.schema.get_field_index("rule"), table.schema.field("rule"), blanked)


def ledger_rows(table: pa.Table, mask: Mask, reasons: Sequence[str]) -> pa.Table:
    """Ledger rows with the verdict `removed`; `reasons` (one a row of the mask) are kinds of demands.

    What stays: identity, place, number of tokens, language, and what the permission rested on. What a copy it was is
    forgotten like the rest of the decision.
    """
    gone = dict.fromkeys(("duplicate_of", "chars", "text_sha256"))
    table = with_values(without_rule_text(table, mask), mask, {"verdict": REMOVED, "stage": STAGE, **gone})
    reason = table.column("reason").cast(pa.string()).to_pylist()
    for row, kind in zip(np.flatnonzero(mask).tolist(), reasons, strict=True):
        reason[row] = kind
    field = table.schema.field("reason")
    return table.set_column(table.schema.get_field_index("reason"), field, pa.array(reason, field.type))


def record_rows(table: pa.Table, mask: Mask) -> pa.Table:
    """Record rows without what comes from the page's words."""
    return with_values(without_rule_text(table, mask), mask, {"chars": None, "text_sha256": None})


def pads(table: pa.Table, mask: Mask, pad: int | None) -> pa.Table:
    """Token rows that are all padding, each as long as it was; `pad` None: the row's last id, which ends a document."""
    column = exchange.one_chunk(table.column("tokens"))
    offsets = column.offsets.to_numpy().astype(np.int64)
    ids = column.values.to_numpy().copy()
    for row in np.flatnonzero(mask).tolist():
        start, end = offsets[row], offsets[row + 1]
        if end > start:
            ids[start:end] = ids[end - 1] if pad is None else pad
    kind = table.schema.field("tokens").type
    blanked = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(ids, pa.uint32()), type=kind)
    table = table.set_column(table.schema.get_field_index("tokens"), table.schema.field("tokens"), blanked)
    return without_loss(table, mask) if schema.LOSS_SPANS.name in table.schema.names else table


def without_loss(table: pa.Table, mask: Mask) -> pa.Table:
    """Token rows of which no token carries loss any more, where something was said of it: turns have lengths too."""
    said = mask & pc.is_valid(table.column(schema.LOSS_SPANS.name)).to_numpy()
    return with_values(table, said, {schema.LOSS_SPANS.name: []}) if said.any() else table


def shard_rows(table: pa.Table, mask: Mask, pad: int | None) -> pa.Table:
    """Rows of a token shard as padding, marked `removed`."""
    return with_values(pads(table, mask, pad), mask, {"removed": True})
