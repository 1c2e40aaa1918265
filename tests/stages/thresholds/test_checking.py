from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lauter.stages.thresholds.checking import Check, read_check

TEXT = "der hund und die katze sind in dem haus wo sie schlafen wenn es kalt ist oder nass so wie heute im garten "


def test_a_list_passes_where_six_samples_of_seven_have_two_of_its_words() -> None:
    check = Check([("deu_Latn", TEXT * 3)] * 6 + [("deu_Latn", "wort " * 60), ("deu_Latn", "der und")])
    assert check.labels == {"deu_Latn"}
    assert check.passes("deu_Latn", ("und", "haus"))
    assert not check.passes("deu_Latn", ("und", "maus"))
    assert not check.passes("fra_Latn", ("der", "und"))
    few = Check([("deu_Latn", TEXT * 3)] * 2)
    assert not few.labels
    assert not few.passes("deu_Latn", ("und", "haus"))
    assert not Check([("deu_Latn", TEXT * 3)] * 5 + [("deu_Latn", "wort " * 60)]).passes("deu_Latn", ("und", "haus"))


@pytest.mark.parametrize("name", ["x.tsv", "x.tsv.zst", "x.tsv.gz"])
def test_lines_of_a_file(tmp_path: Path, name: str) -> None:
    data = f"deu_Latn\tbook\t{TEXT * 3}\n\ndeu_Latn\t{TEXT * 3}\r\ndeu_Latn\t{TEXT * 3}".encode()
    codec = {".zst": "zstd", ".gz": "gzip"}.get(Path(name).suffix)
    with pa.output_stream(str(tmp_path / name), compression=codec) as stream:
        stream.write(data)
    assert read_check(tmp_path / name).passes("deu_Latn", ("garten", "katze"))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.tsv", b"deu_Latn\ta\ngerman\tb\n", r"x\.tsv:2: 'german' is no label"),
        ("x.tsv", b"deu_Latn\t\xff", r"x\.tsv: not UTF-8 at byte 9"),
        ("x.tsv.zst", b"deu_Latn\ta\n", r"x\.tsv\.zst: not compressed as its name says"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_check(tmp_path / name)
