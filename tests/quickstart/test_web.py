"""The committed web: complete, varied, and packed to the same bytes every time."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastwarc import ArchiveIterator, WarcRecordType
from fastwarc.stream_io import BrotliReader
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstart import oddities
from quickstart.build_web import COLUMNS, build, main
from quickstart.pages import WEB, Record, sites, sources
from quickstart.responses import message, plain_text

LISTS = {"sites.yaml", "pages.yaml"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    build(folder)
    return folder


def records() -> list[Record]:
    return [record for entries in sources().warc.values() for record in entries]


def test_two_runs_give_the_same_bytes(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    files = sorted(path.name for path in built.iterdir())
    assert files == ["robots.warc.gz", "rows.jsonl", "rows.parquet", "web-00000.warc.gz", "web-00001.warc"]
    for name in files:
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes()
    assert "5 files" in capsys.readouterr().out


def test_a_second_run_touches_nothing(tmp_path: Path) -> None:
    build(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    build(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_languages_and_scripts_of_pages_that_are_meant_to_be_kept() -> None:
    pages: dict[str, set[str]] = {}
    for record in records():
        if record.expect.verdict == "kept":
            assert record.language is not None, record.page
            pages.setdefault(record.language, set()).add(record.page or "")
    two = {language for language, urls in pages.items() if len(urls) >= 2}
    assert len(two) >= 18
    assert len({language.partition("_")[2] for language in two}) >= 12


def test_kept_pages_are_as_long_as_prose() -> None:
    for record in records():
        if record.expect.verdict == "kept" and record.content == "page":
            text = plain_text(record.page or "")
            unspaced = (record.language or "").endswith(("_Jpan", "_Hani", "_Thai"))
            assert len(text) >= 330 if unspaced else len(text.split()) >= 85, record.page


def test_every_file_is_used_and_every_use_has_its_file() -> None:
    used = {f"_templates/{site.template}.html" for site in sites().values()} | LISTS
    used |= {f"{host}/{site.robots.file}" for host, site in sites().items() if site.robots and site.robots.file}
    used |= {f"{host}/{file.file}" for host, site in sites().items() for file in site.files}
    for record in records():
        if record.content in ("page", "text"):
            used.add(f"{record.page}.{'txt' if record.content == 'text' else 'html'}")
    for row in (row for rows in sources().rows.values() for row in rows):
        assert (row.page is None) != (row.text is None)
    there = {str(path.relative_to(WEB)) for path in WEB.rglob("*") if path.is_file()}
    assert used == there


def test_hosts_are_listed_used_and_nobodys() -> None:
    hosts = {record.host for record in records() if record.page}
    robots_only = {"www.huerto-escolar.example"}
    assert hosts | robots_only == set(sites())
    assert all(host.endswith(".example") for host in sites())


def test_personal_data_is_made_up() -> None:
    for path in sorted(WEB.rglob("*")):
        if path.is_file():
            for domain in re.findall(r"[\w.+-]+@([\w.-]+\w)", path.read_text("utf-8")):
                assert re.fullmatch(r"(?:.+\.)?example(?:\.(?:org|com|net))?", domain), (path, domain)


def test_every_kind_of_trouble_is_there() -> None:
    endings = {(r.expect.verdict, r.expect.stage, r.expect.reason) for r in records()}
    assert {
        ("dropped", "optout", "robots-disallow"),
        ("dropped", "optout", "robots-unreachable"),
        ("dropped", "optout", "robots-unparsable"),
        ("dropped", "optout", "tdm-reservation"),
        ("dropped", "optout", "noai"),
        ("dropped", "optout", "agent-noindex"),
        ("dropped", "optout", "content-signal"),
        ("dropped", "optout", "content-usage"),
        ("dropped", "optout", "rsl"),
        ("duplicate", "dedup", "exact-duplicate"),
        ("duplicate", "dedup", "near-duplicate"),
        ("duplicate", "read", "same-record"),
        ("dropped", "toxicity", "toxic"),
        ("error", "read", "truncated"),
        ("error", "read", "corrupt-range"),
        ("error", "read", "payload-too-large"),
        ("dropped", "read", "http-status"),
        ("dropped", "read", "not-html"),
        ("dropped", "extract", "no-text"),
    } <= endings
    assert {"windows-1251", "shift_jis", "gb2312"} <= {record.charset for record in records()}


def test_another_reader_finds_the_same_records(built: Path) -> None:
    listed = [r for r in sources().warc["web-00000.warc.gz"] if r.damage != "cut"]
    with (built / "web-00000.warc.gz").open("rb") as stream:
        found = []
        try:
            for entry in ArchiveIterator(stream, record_types=WarcRecordType.response):
                found.append(
                    (entry.headers["WARC-Target-URI"], entry.http_headers.status_code, bool(entry.reader.read()))
                )
        except OSError:
            pass  # the member that is cut
    assert found[: len(listed)] == [(record.url, record.status, True) for record in listed]


def test_the_snapshot_has_one_answer_for_each_file_that_was_asked_for(built: Path) -> None:
    with (built / "robots.warc.gz").open("rb") as stream:
        found = {
            entry.headers["WARC-Target-URI"]: entry.http_headers.status_code
            for entry in ArchiveIterator(stream, record_types=WarcRecordType.response)
        }
    asked = {f"https://{host}/robots.txt": site.robots.status for host, site in sites().items() if site.robots}
    asked |= {f"https://{host}{file.path}": 200 for host, site in sites().items() for file in site.files}
    assert found == asked
    assert {200, 301, 404, 503} <= set(found.values())


def test_rows_have_finewebs_columns(built: Path) -> None:
    rows = [json.loads(line) for line in (built / "rows.jsonl").read_text("utf-8").splitlines()]
    table = pq.read_table(built / "rows.parquet")
    assert table.schema.equals(COLUMNS)
    assert all(list(row) == COLUMNS.names for row in rows)
    assert len(rows) + table.num_rows == 10


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.sampled_from([1, 700]))
def test_stored_brotli_is_brotli(data: bytes, times: int) -> None:
    data *= times  # up to three meta-blocks
    assert BrotliReader(io.BytesIO(oddities.brotli(data)), fsspec_args=False).read() == data


def test_bomb_is_small_until_it_goes_off() -> None:
    (record,) = (record for record in records() if record.content == "spaces")
    sent = message(record, sites()[record.host])
    assert len(sent) < 2_000
    inner = gzip.decompress(sent.partition(b"\r\n\r\n")[2])
    assert len(zlib.decompress(inner, 31)) == oddities.SPACES
