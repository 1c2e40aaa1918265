from __future__ import annotations

import hashlib
import random
import struct
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.pipeline.proof import partition
from lauter.pipeline.proof.leaves import leaves
from lauter.pipeline.proof.partition import merkle_root
from lauter.pipeline.proof.tree import Shape, bounds, range_of, shape_of, sorted_order, tree_paths, tree_root
from lauter.pipeline.proof.verify_proof import climb
from lauter.pipeline.storage import Storage, StorageError
from tests.pipeline.proof.small_ledger import Row, row, table, write_ledger


def _sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _mth(items: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word by word; the items are leaf hashes."""
    if len(items) == 1:
        return items[0]
    split = 1
    while 2 * split < len(items):
        split *= 2
    return _sha(b"\x01", _mth(items[:split]), _mth(items[split:]))


def _digests(items: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(items), np.uint8).reshape(-1, 32)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 70), chosen=st.data())
def test_the_tree_is_that_of_rfc_6962(count: int, chosen: st.DataObject) -> None:
    items = [_sha(number.to_bytes(2, "big")) for number in range(count)]
    assert tree_root(_digests(items)) == _mth(items)
    place = chosen.draw(st.integers(0, count - 1))
    root, (path,) = tree_paths(_digests(items), [place])
    assert root == _mth(items) == climb(items[place], place, count, [item.hex() for item in path])
    other = chosen.draw(st.integers(0, count - 1).filter(lambda number: number != place)) if count > 1 else None
    if other is not None:
        try:
            assert climb(items[place], other, count, [item.hex() for item in path]) != root
        except ValueError as error:
            assert "path is too" in str(error)


def _ledger_root(rows: list[Row]) -> bytes:
    """The whole tree from its definition, for a small ledger."""
    found = leaves(table(rows).combine_chunks().to_batches()[0]) if rows else None
    pairs = sorted((key.tobytes(), leaf.tobytes()) for key, leaf in zip(*found, strict=True)) if found else []
    tops = []
    for number in range(256):
        low, high = bytes([number]) + bytes(31), bytes([number]) + b"\xff" * 31
        assert bounds(number, 256) == (low, high)
        inside = [leaf for key, leaf in pairs if low <= key <= high]
        items = [_sha(b"\x00", low), *inside, _sha(b"\x00", high)]
        tops.append(_sha(b"\x03", struct.pack(">IIQ", 256, number, len(items)), _mth(items)))
    return _mth(tops)


@settings(max_examples=25, deadline=None)
@given(
    urls=st.lists(
        st.one_of(st.none(), st.sampled_from([f"https://a.org/{n}" for n in range(5)]), st.text()), max_size=20
    ),
    cuts=st.lists(st.integers(0, 20), max_size=3),
    seed=st.integers(0, 9),
)
def test_the_root_does_not_depend_on_where_rows_are(urls: list[str | None], cuts: list[int], seed: int) -> None:
    rows = [row(number, url) for number, url in enumerate(urls)]
    expected = _ledger_root(rows)
    random.Random(seed).shuffle(rows)
    edges = sorted([0, *cuts, len(rows)])
    parts = [rows[start:end] for start, end in pairwise(edges)]
    with tempfile.TemporaryDirectory() as name:
        paths = write_ledger(Path(name), parts, row_group_bytes=1 + 500 * seed)
        tree = merkle_root(Storage(name), paths)
        assert tree.root == expected and tree.rows == len(rows)
        assert merkle_root(Storage(name), paths[::-1]) == tree


def test_groups_are_no_part_of_any_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_ledger(tmp_path, [[row(number, f"https://a.org/{number}") for number in range(600)]], 1 << 20)
    tree = merkle_root(Storage(str(tmp_path)), paths)
    for groups in (2, 16, 256):
        monkeypatch.setattr(partition, "shape_of", lambda rows, groups=groups: Shape(256, groups))
        assert merkle_root(Storage(str(tmp_path)), paths) == tree
    monkeypatch.setattr(partition, "shape_of", lambda rows: Shape(512, 2))
    assert merkle_root(Storage(str(tmp_path)), paths).root != tree.root


@settings(max_examples=100, deadline=None)
@given(key=st.binary(min_size=32, max_size=32), power=st.integers(8, 20))
def test_a_key_lies_within_the_bounds_of_its_range(key: bytes, power: int) -> None:
    number = range_of(key, 1 << power)
    low, high = bounds(number, 1 << power)
    assert low <= key <= high
    assert range_of(low, 1 << power) == range_of(high, 1 << power) == number


def test_a_shape_depends_on_the_rows_alone() -> None:
    for rows in (0, 1, 10**6, 10**7, 10**9, 3 * 10**10):
        shape = shape_of(rows)
        assert shape.ranges % shape.groups == 0 and rows <= shape.groups << 20


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_rows_are_sorted_by_key_then_leaf(rows: list[tuple[int, int, int]]) -> None:
    keys = [bytes([a]) * 8 + bytes([b]) * 24 for a, b, _ in rows]
    digests = [bytes([c]) * 32 for _, _, c in rows]
    order = sorted_order(_digests(keys), _digests(digests)).tolist()
    assert [(keys[n], digests[n]) for n in order] == sorted(zip(keys, digests, strict=True))


def test_what_is_no_ledger_is_said_so(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"url": ["x"]}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"no Parquet")
    wrong = table([row(1, None)]).set_column(3, "offset", pa.array([0.5]))
    pq.write_table(wrong, tmp_path / "c.parquet")
    assert wrong.schema.names == schema.LEDGER.names
    for name in ("a", "b", "c", "missing"):
        with pytest.raises(StorageError, match=str(tmp_path)):
            merkle_root(Storage(str(tmp_path)), [f"{name}.parquet"])
