"""The committed web through the real pipeline: every record must end as `quickstart/web/pages.yaml` says."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tokenizers import Tokenizer

from lauter.pipeline.audit import audit
from lauter.pipeline.build import BuildOptions, build_corpus
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.stages.catalogue import CATALOGUE
from quickstart.build_web import build
from quickstart.pages import Expected, Record, sources
from quickstart.responses import plain_text

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A record as the lists have it."""

    url: str | None
    page: str | None
    language: str | None
    expect: Expected


@dataclass(frozen=True)
class Built:
    """A finished run."""

    out: Path
    ledger: dict[str, list[Row]]
    """File name -> rows in order."""

    @property
    def pairs(self) -> list[tuple[Row, Entry]]:
        """Ledger rows beside what the lists say of them."""
        pairs: list[tuple[Row, Entry]] = []
        for name, expected in entries().items():
            assert len(self.ledger[name]) == len(expected), name
            pairs += zip(self.ledger[name], expected, strict=True)
        return pairs


def entries() -> dict[str, list[Entry]]:
    """File name -> entries in order."""
    listed = sources()
    found = {name: [_entry(record) for record in records] for name, records in listed.warc.items()}
    for name, rows in listed.rows.items():
        found[name] = [Entry(row.url, None, row.language, row.expect) for row in rows]
    return found


def _entry(record: Record) -> Entry:
    # What is no record (garbage, a false length) has no URL in the ledger; what is cut still has its header.
    lost = record.expect.reason in ("corrupt-range", "truncated")
    return Entry(None if lost else record.url, record.page, record.language, record.expect)


def table(folder: Path) -> list[Row]:
    rows: list[Row] = []
    for path in sorted(folder.rglob("*.parquet")):
        rows += pq.ParquetFile(path).read().to_pylist()
    return rows


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    root = tmp_path_factory.mktemp("quickstart")
    build(root / ".cache" / "quickstart")
    (root / "manifests").mkdir()
    shutil.copy(REPOSITORY / "manifests" / "quickstart.yaml", root / "manifests")
    said = io.StringIO()
    manifest = load(str(root / "manifests" / "quickstart.yaml"), CATALOGUE)
    options = BuildOptions(str(root / "out"), "inline", 1, None)
    outcome = build_corpus(manifest, options, Console(file=said, width=200))
    assert outcome.report.failures == []
    assert "source real: no file found" in said.getvalue()
    ledger: dict[str, list[Row]] = {}
    for row in table(root / "out" / "ledger"):
        ledger.setdefault(Path(row["file"]).name, []).append(row)
    return Built(root / "out", ledger)


@pytest.fixture(scope="module")
def texts(built: Built) -> dict[bytes, Row]:
    """doc_id -> document, for all that got as far as the quality stage and beyond."""
    return {row["doc_id"]: row for row in table(built.out / "documents")}


def test_every_record_ends_as_listed(built: Built) -> None:
    wrong = []
    for row, entry in built.pairs:
        found = (row["verdict"], row["stage"], row["reason"])
        wanted = (entry.expect.verdict, entry.expect.stage, entry.expect.reason)
        if found != wanted or (entry.url is not None and row["url"] != entry.url):
            wrong.append((entry.url, found, wanted, row["rule"]))
    assert wrong == []


def test_kept_pages_have_their_language_and_script(built: Built) -> None:
    wrong = []
    for row, entry in built.pairs:
        if entry.expect.verdict == "kept":
            language = entry.expect.language or entry.language or ""
            if (row["language"], row["script"]) != (language, language.partition("_")[2]):
                wrong.append((entry.url, row["language"], row["script"]))
    assert wrong == []


def test_duplicates_name_the_page_that_stays(built: Built) -> None:
    first = {row["doc_id"]: row for row, entry in built.pairs if entry.expect.verdict == "kept"}
    named = 0
    for row, entry in built.pairs:
        if entry.expect.duplicate_of:
            assert (first[row["duplicate_of"]]["url"] or "").endswith(f"://{entry.expect.duplicate_of}")
            named += 1
    assert named == 5


def test_opt_outs_show_the_rule(built: Built) -> None:
    rules = {entry.page: row["rule"] for row, entry in built.pairs if row["reason"] == "robots-disallow"}
    shown = {page: (rule["agent"], rule["line"], rule["text"]) for page, rule in rules.items() if page}
    assert shown["gazette-du-lac.example/2024/bateau"] == ("GPTBot", 2, "Disallow: /")
    assert shown["flussauf-zeitung.example/lokales/flohmarkt"] == ("Google-Extended", 5, "Disallow: /")
    assert shown["crest-hut.example/de/reservation/kalender"] == ("CCBot", 3, "Disallow: /de/reservation/")
    assert shown["retratos-elena.example/cuaderno/luz"] == ("*", 3, "Disallow: /")
    assert shown["museum-of-tides.example/collection/gauges/1887-gauge"][1:] == (3, "Disallow: /collection/")
    assert shown["linocut-studio.example/essays/slow-prints"][1:] == (6, "Disallow: /essays/")


def test_text_is_whole_and_nothing_around_it(built: Built, texts: dict[bytes, Row]) -> None:
    seen = 0
    for row, entry in built.pairs:
        if row["verdict"] != "kept" or not entry.page or entry.expect.spans or entry.page.endswith("harbour-notice"):
            continue
        document = texts[row["doc_id"]]
        text = _plain(document["text"])
        damaged = "\ufffd" in text
        heading, *lines = plain_text(entry.page).splitlines()
        # The heading of the page is its title, and stands in the text or not, as the sets of truth have it.
        assert damaged or _plain(heading) in text or _plain(heading) in _plain(document["title"]), entry.url
        for line in lines:
            assert damaged or _plain(line) in text, (entry.url, line)
        for furniture in ("cookie", "Cookie", "©", "»", "{{"):
            assert furniture not in text, (entry.url, furniture)
        seen += 1
    assert seen >= 45


def _plain(text: str) -> str:
    # Joiners are the subject of a test of their own.
    return " ".join(text.replace("\u200c", "").replace("\u200b", "").split())


def test_joiners_stay(built: Built, texts: dict[bytes, Row]) -> None:
    for row, entry in built.pairs:
        if row["verdict"] == "kept" and entry.page and entry.page.startswith("bagh-e-anar"):
            heading, *lines = plain_text(entry.page).splitlines()
            text = texts[row["doc_id"]]["text"]
            wanted = [*lines, heading] if heading in text else lines
            assert text.count("\u200c") == "".join(wanted).count("\u200c")


def test_old_and_wrong_encodings_are_read(built: Built, texts: dict[bytes, Row]) -> None:
    by_page = {entry.page: texts[row["doc_id"]]["text"] for row, entry in built.pairs if row["verdict"] == "kept"}
    assert "Солнечный свет" in by_page["zvezdochet.example/goluboe-nebo"]
    assert "старую линзу" in by_page["zvezdochet.example/teleskop"]
    assert "日本には三千を超える温泉地" in by_page["machi-toshokan.example/onsen"]
    assert "三百多年的石桥" in by_page["shanlu-chaguan.example/qiao"]
    assert "pincée de sel" in by_page["tante-odile.example/tarte-aux-pommes"]
    assert by_page["tante-odile.example/le-marche"].count("\ufffd") == 4


def test_personal_data_is_replaced_and_nothing_else(built: Built, texts: dict[bytes, Row]) -> None:
    for row, entry in built.pairs:
        if row["verdict"] == "kept":
            document = texts[row["doc_id"]]
            spans = document["pii_spans"] or []
            assert [span["type"] for span in spans] == list(entry.expect.spans), entry.url
            for span in spans:
                assert document["text"][span["start"] : span["end"]] == f"<{span['type']}-pii>"
    by_page = {entry.page: texts[row["doc_id"]]["text"] for row, entry in built.pairs if row["verdict"] == "kept"}
    moved = by_page["devnotes.example/2024/mail-server-move"]
    for kept in ("192.0.2.25", "203.0.113.80", "version 2.3.4.1", "version 2.4.0.0"):
        assert kept in moved
    notes = by_page["devnotes.example/2024/release-notes"]
    for kept in ("Version 1.2.3.4", "1.2.3.5", "192.168.1.20", "127.0.0.1"):
        assert kept in notes
    markers = by_page["devnotes.example/2024/prompt-markers"]
    for kept in ("<s>[INST] What is a sonnet? [/INST]", "<email-pii>", "</s>"):
        assert kept in markers


def test_no_document_holds_a_pattern_of_personal_data(texts: dict[bytes, Row]) -> None:
    # Written without a look at the stage: plain shapes, over all documents, dropped ones too.
    shapes = (
        r"[\w.+-]+@[\w-]+\.\w",
        r"\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){3,}",
        r"\+[0-9]{1,3}[ -]?[0-9][0-9 -]{6,}",
        r"\b93\.184\.",
    )
    for document in texts.values():
        for shape in shapes:
            assert not re.search(shape, document["text"]), (document["url"], shape)


def test_token_rows_decode_to_the_texts_of_the_ledger(built: Built, texts: dict[bytes, Row]) -> None:
    tokenizer = Tokenizer.from_file(str(built.out / "tokens" / "tokenizer" / "tokenizer.json"))
    ledger = {row["doc_id"]: row for row, entry in built.pairs if row["verdict"] == "kept"}
    rows = table(built.out / "tokens")
    assert sorted(row["doc_id"] for row in rows) == sorted(ledger)
    first, last = {row["tokens"][0] for row in rows}, {row["tokens"][-1] for row in rows}
    assert len(first) == len(last) == 1
    for row in rows:
        inner = row["tokens"][1:-1]
        text = tokenizer.decode(inner, skip_special_tokens=False)
        assert text == texts[row["doc_id"]]["text"]
        assert hashlib.sha256(text.encode()).digest() == ledger[row["doc_id"]]["text_sha256"]
        assert row["length"] == len(row["tokens"]) == ledger[row["doc_id"]]["tokens"]
        assert not (first | last) & set(inner), "a control token inside a document"


def test_audit_finds_every_record_accounted_for(built: Built) -> None:
    report = audit(Storage(str(built.out)), CATALOGUE)
    assert report.violations == []
    listed: Counter[str] = Counter(entry.expect.verdict for _, entry in built.pairs)
    assert {name: report.counts[name] for name in listed} == listed
    assert report.counts["records_in"] == listed.total()
