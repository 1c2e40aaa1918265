from __future__ import annotations

import shutil
import struct
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.trainer.indexed import reading
from lauter.trainer.indexed.errors import TokenDataError
from lauter.trainer.indexed.layout import CODES, Header
from lauter.trainer.indexed.reading import open_dataset
from tests.trainer.indexed.samples import FOLDER, NAMES, expected, plainly_read


def put(prefix: Path, sequences: list[list[int]], borders: list[int], code: int = 4) -> None:
    """A dataset whose documents may be of several sequences, in any dtype."""
    lengths = [len(sequence) for sequence in sequences]
    dtype = np.dtype(CODES[code])
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1] * dtype.itemsize
    parts = (np.array(lengths, "<i4"), starts.astype("<i8"), np.array(borders, "<i8"))
    header = Header(code, len(sequences), len(borders)).to_bytes()
    prefix.with_name(f"{prefix.name}.idx").write_bytes(header + b"".join(part.tobytes() for part in parts))
    prefix.with_name(f"{prefix.name}.bin").write_bytes(np.array([*chain.from_iterable(sequences)], dtype).tobytes())


def documents(prefix: Path, target: int, ids: int = 1 << 31) -> list[list[int]]:
    found: list[list[int]] = []
    for piece in open_dataset(prefix).pieces(target, ids):
        assert piece.first == len(found) and piece.tokens.dtype == np.uint32
        assert int(piece.lengths.sum()) == len(piece.tokens)
        found += [part.tolist() for part in np.split(piece.tokens, np.cumsum(piece.lengths)[:-1])]
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", [1, 500, 1 << 22])
def test_megatrons_files_hold_the_documents_that_were_written(name: str, target: int) -> None:
    wanted = expected(name)
    assert open_dataset(FOLDER / name).documents == len(wanted)
    assert documents(FOLDER / name, target) == wanted


SEQUENCES = st.lists(st.lists(st.integers(0, 127), max_size=5), max_size=9)


@settings(max_examples=80, deadline=None)
@given(
    SEQUENCES, st.lists(st.integers(0, 9)), st.integers(1, 12), st.integers(1, 4), st.sampled_from([1, 2, 3, 4, 5, 8])
)
def test_documents_of_several_sequences_in_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory,
    sequences: list[list[int]],
    inner: list[int],
    target: int,
    block: int,
    code: int,
) -> None:
    prefix = tmp_path_factory.mktemp("any") / "data"
    borders = [0, *sorted(min(border, len(sequences)) for border in inner), len(sequences)]
    put(prefix, sequences, borders, code)
    before, reading.BLOCK = reading.BLOCK, block
    try:
        found = documents(prefix, target)
        sizes = [len(piece.tokens) for piece in open_dataset(prefix).pieces(target, 128)]
    finally:
        reading.BLOCK = before
    assert found == plainly_read(prefix)
    assert all(size >= target for size in sizes[:-1])


def change(data: bytes, at: int, kind: str, value: int) -> bytes:
    return data[:at] + struct.pack(kind, value) + data[at + struct.calcsize(kind) :]


def test_what_is_wrong_with_a_dataset_is_said(tmp_path: Path) -> None:
    prefix = tmp_path / "data"
    put(prefix, [[1, 2, 3], [4], [5, 6]], [0, 1, 3])
    idx, ids = tmp_path / "data.idx", tmp_path / "data.bin"
    whole, tokens = idx.read_bytes(), ids.read_bytes()
    for data, said in (
        (whole[:20], "20 bytes, and the header alone has 34"),
        (change(whole, 17, "B", 6), "code 6 is no dtype of token ids"),
        (change(whole, 17, "B", 9), "code 9 is no dtype"),
        (whole[:-1], "3 sequences and 3 borders take 94 bytes, and it has 93"),
        (whole + b"\0\0\0", "94 bytes, and it has 97"),
        (change(whole, 18, "<Q", 1 << 40), "sequences and 3 borders take"),
        (change(whole, 38, "<i", -1), "sequence 1 has a negative length"),
        (change(whole, 38, "<i", 2), "sequence 2 does not lie where the one before it ends"),
        (change(whole, 46, "<q", 4), "sequence 0 does not lie"),
        (change(whole, 78, "<q", 9), "borders do not ascend"),
        (change(whole, 70, "<q", 1), "the sequences 1 to 3, not all of them"),
        (change(whole, 86, "<q", 2), "the sequences 0 to 2, not all"),
        (change(whole, 17, "B", 8), "sequence 1 does not lie where"),
    ):
        idx.write_bytes(data)
        with pytest.raises(TokenDataError, match=said) as raised:
            open_dataset(prefix)
        assert str(idx) in str(raised.value) and "copy the pair again" in str(raised.value)
    idx.write_bytes(whole)
    ids.write_bytes(tokens[:-4])
    with pytest.raises(TokenDataError, match=r"take 24 bytes, and data\.bin has 20"):
        open_dataset(prefix)
    ids.unlink()
    with pytest.raises(TokenDataError, match=r"data\.bin is missing: a Megatron dataset is the pair"):
        open_dataset(prefix)


@pytest.mark.parametrize(("code", "strange"), [(4, -1), (4, 10), (8, 10), (5, 1 << 32)])
def test_an_id_that_the_tokenizer_has_not_is_named_with_its_document(code: int, strange: int, tmp_path: Path) -> None:
    put(tmp_path / "data", [[1, 9], [], [3, strange, 4]], [0, 1, 2, 3], code)
    with pytest.raises(TokenDataError, match=rf"document 2 has id {strange}, and the tokenizer has 10"):
        documents(tmp_path / "data", 4, ids=10)


def test_a_document_that_no_row_group_holds_is_refused_before_it_is_read(tmp_path: Path) -> None:
    halves = np.full(2, 1 << 30, "<i4")
    parts = (Header(1, 2, 2).to_bytes(), halves, np.array([0, 1 << 30], "<i8"), np.array([0, 2], "<i8"))
    (tmp_path / "data.idx").write_bytes(b"".join(bytes(part) for part in parts))
    with (tmp_path / "data.bin").open("wb") as file:
        file.truncate(1 << 31)  # Takes no room on the disk.
    with pytest.raises(TokenDataError, match="document 0 has 2,147,483,648 tokens, and a row group holds"):
        documents(tmp_path / "data", 4)


def test_the_index_alone_is_mapped_and_no_token_is_read(tmp_path: Path) -> None:
    if not (FOLDER / "tiny_int32.idx").exists():
        pytest.skip("the test data samples/megatron is not there: set LAUTER_TEST_DATA")
    for end in (".idx", ".bin"):
        shutil.copy(FOLDER / f"tiny_int32{end}", tmp_path / f"t{end}")
    found = open_dataset(tmp_path / "t")
    assert isinstance(found.tokens, np.memmap) and found.header.size == 34 + 20 * 3 + 8
