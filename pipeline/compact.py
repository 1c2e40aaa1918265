"""Thrift's compact protocol, read and written without loss: what a Parquet footer is made of.

Values keep their types, so that a footer can be written again with other row groups. Encoding: Thrift's compact
protocol specification.
"""

from __future__ import annotations

from typing import Any, NamedTuple

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12
LONG_LIST = 15
"""A list of this many elements or more has its length behind its head."""
MAX_DEPTH = 32
"""Parquet's own metadata is seven levels deep at most."""
MAX_SHIFT = 63
"""A varint has at most 64 bits."""


class Value(NamedTuple):
    """A value with its type; of a struct a dict of them by field id, of a list its elements."""

    kind: int
    content: Any


class Elements(NamedTuple):
    """A list's elements, all of one type."""

    kind: int
    items: list[Any]


Struct = dict[int, Value]


def read_struct(data: bytes) -> Struct:
    """The struct at the start of some bytes, which may be damaged: raises `ValueError` or `IndexError`, if anything."""
    return _Reader(data).struct(0)


def write_struct(struct: Struct) -> bytes:
    """The bytes of a struct."""
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def struct(self, depth: int) -> Struct:
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        fields: Struct = {}
        number = 0
        while (head := self._byte()) & 0x0F:
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 0x0F
            # The value of a boolean field is its type.
            fields[number] = Value(kind, None if kind in (TRUE, FALSE) else self._value(kind, depth + 1))
        return fields

    def _value(self, kind: int, depth: int) -> Any:  # noqa: ANN401 - of whatever type the bytes say
        if kind in (TRUE, FALSE, BYTE):
            return self._byte()
        if kind in (I16, I32, I64):
            return self._zigzag()
        if kind == DOUBLE:
            return self._bytes(8)
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind in (LIST, SET):
            head = self._byte()
            count = self._varint() if head >> 4 == LONG_LIST else head >> 4
            if depth > MAX_DEPTH:
                raise ValueError("too deep")
            return Elements(head & 0x0F, [self._value(head & 0x0F, depth + 1) for _ in range(count)])
        if kind == STRUCT:
            return self.struct(depth)
        raise ValueError(f"type {kind} does not occur in the metadata of Parquet")

    def _byte(self) -> int:
        value = self._data[self._place]
        self._place += 1
        return value

    def _bytes(self, count: int) -> bytes:
        value = self._data[self._place : self._place + count]
        if len(value) != count:
            raise ValueError("cut")
        self._place += count
        return value

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > MAX_SHIFT:
                raise ValueError("a varint is too long")
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)


def _write_struct(out: bytearray, struct: Struct) -> None:
    last = 0
    for number, (kind, content) in sorted(struct.items()):
        if 0 < number - last < 16:
            out.append((number - last) << 4 | kind)
        else:
            out.append(kind)
            _write_zigzag(out, number)
        last = number
        if kind not in (TRUE, FALSE):
            _write_value(out, kind, content)
    out.append(0)


def _write_value(out: bytearray, kind: int, content: Any) -> None:  # noqa: ANN401 - as `Value` has it
    if kind in (TRUE, FALSE, BYTE):
        out.append(content)
    elif kind in (I16, I32, I64):
        _write_zigzag(out, content)
    elif kind == DOUBLE:
        out += content
    elif kind == BINARY:
        _write_varint(out, len(content))
        out += content
    elif kind in (LIST, SET):
        count = len(content.items)
        out.append(min(count, LONG_LIST) << 4 | content.kind)
        if count >= LONG_LIST:
            _write_varint(out, count)
        for item in content.items:
            _write_value(out, content.kind, item)
    else:
        _write_struct(out, content)


def _write_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _write_zigzag(out: bytearray, value: int) -> None:
    _write_varint(out, value * 2 if value >= 0 else -value * 2 - 1)
