from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.contract import MapStage, StageContext, Verdict
from lauter.stages.extract import Extract, ExtractConfig
from lauter.stages.extract.backends import Backend
from lauter.stages.extract.keeping import before
from lauter.stages.extract.lists import with_lists
from lauter.stages.extract.tables import with_tables
from tests.stages.extract.pages import records, truths, warc

HOSTILE = "tests.stages.extract.hostile:load"
ARTICLE = b"<html><head><title>Tea &amp; bread</title></head><body><article>" + b"".join(
    b"<p>%s</p>" % (b"Water boils in pot %d. " % number * 10) for number in range(12)
)
BACKENDS: tuple[Backend, ...] = ("trafilatura", "resiliparse")


@pytest.fixture(scope="module", params=BACKENDS)
def stage(request: pytest.FixtureRequest) -> Iterator[Extract]:
    running = Extract(ExtractConfig(backend=request.param), StageContext())
    running.open()
    yield running
    running.close()


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Extract]:
    context = StageContext(quarantine=str(tmp_path / "quarantine"))
    running = Extract(ExtractConfig(wall_clock_s=0.5), context, loader=HOSTILE)
    yield running
    running.close()


def reasons(verdict: Verdict) -> list[str]:
    return [Extract.reasons[code - 1].name if code else "" for code in verdict.reason]


def texts(verdict: Verdict) -> list[Any]:
    found: list[Any] = verdict.columns["text"].to_pylist()
    return found


def test_is_a_map_stage(stage: Extract) -> None:
    checked: MapStage = stage
    verdict = checked.apply(records([ARTICLE]))
    for schema in (Extract.documents, Extract.scores):
        for field in schema:
            assert verdict.columns[field.name].type == field.type
            verdict.columns[field.name].validate(full=True)


def test_an_article(stage: Extract) -> None:
    verdict = stage.apply(records([ARTICLE]))
    (text,) = texts(verdict)
    assert reasons(verdict) == [""]
    assert text.count("Water boils") == 120
    assert verdict.columns["title"].to_pylist() == ["Tea & bread"]
    assert verdict.columns["chars"].to_pylist() == [len(text)]


def test_text_that_is_there_passes_untouched(stage: Extract) -> None:
    given_texts = ["  as it is\r\n\0", "<p>no markup</p>", None, " \n", ""]
    batch = records([None, b"\xff", ARTICLE, None, None], text=given_texts)
    verdict = stage.apply(batch)
    assert texts(verdict)[:2] == given_texts[:2]
    assert "Water boils" in texts(verdict)[2]
    assert reasons(verdict) == ["", "", "", "no-text", "no-text"]
    alone = records([None] * 2, text=["one", "two"])
    assert stage.apply(alone).columns["text"].buffers()[2].address == alone.column("text").buffers()[2].address


def test_plain_text_is_only_decoded(stage: Extract) -> None:
    payload = "<p>Grüße</p>\r\n".encode("latin-1")
    verdict = stage.apply(records([payload], media_type="text/plain", charset="iso-8859-1"))
    assert texts(verdict) == ["<p>Grüße</p>\r\n"]


@pytest.mark.parametrize(
    ("media_type", "payload", "reason"),
    [
        ("image/png", ARTICLE, "unsupported-media-type"),
        (None, b"%PDF-1.7", "unsupported-media-type"),
        (None, b"\n <!DOCTYPE html >" + ARTICLE, ""),
        ("application/octet-stream", ARTICLE, ""),
        ("Text/HTML ;charset=x", ARTICLE, ""),
        ("text/html", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "undecodable"),
        ("text/html", b"", "no-text"),
        ("text/html", None, "no-text"),
        ("text/html", b"<html><body>" + b"<iframe src=x></iframe>" * 50, "no-text"),
        ("text/html", b"<html>" + b"<frameset><frame src=x>" * 50 + b"</frameset>" * 50 + b"</html>", "no-text"),
        ("text/html", b"<html><body>" + b"<div>" * 300 + b"text", "html-too-deep"),
        ("text/html", b"<html><body>" + b"<div>" * 1_000_000, "html-too-deep"),
        ("text/html", b"<html><body>" + b"<br>" * 250_001, "html-too-many-nodes"),
        ("text/html", b" " * ((16 << 20) + 1), "html-too-large"),
    ],
)
def test_reasons(stage: Extract, media_type: str | None, payload: bytes | None, reason: str) -> None:
    assert reasons(stage.apply(records([payload, ARTICLE], media_type=media_type)))[0] == reason


def test_no_stage_sees_more_text_than_the_limit() -> None:
    small = Extract(ExtractConfig(backend="resiliparse", max_text_bytes=400), StageContext())
    plain = records([b"x" * 400, b"x" * 401, "ü".encode("latin-1") * 201], media_type="text/plain", charset="latin-1")
    assert reasons(small.apply(plain)) == ["", "text-too-large", "text-too-large"]
    given_text = records([None, None], text=["ü" * 200, "ü" * 200 + "x"])
    assert reasons(small.apply(given_text)) == ["", "text-too-large"]
    assert reasons(small.apply(records([ARTICLE]))) == ["text-too-large"]
    small.close()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.binary(max_size=80) | st.sampled_from([b"&#xD800;", b"&#0;\0\x0b\xff", b"\xed\xa0\x80"]), max_size=4)
)
def test_output_is_always_valid_unicode(stage: Extract, parts: list[bytes]) -> None:
    verdict = stage.apply(records([ARTICLE + b"<p>words around " + b" ".join(parts) + b" and after</p>", *parts]))
    for column in verdict.columns.values():
        column.validate(full=True)


def direct(backend: Backend, page: str) -> list[str]:
    # What the libraries answer in this process to the options that the stage promises, the usual answer first.
    if backend == "resiliparse":
        from resiliparse.extract.html2text import extract_plain_text

        return [extract_plain_text(page, main_content=True)]
    from trafilatura import extract

    page = re.sub(r"<a\s(?![^<>]*\bhref)[^<>]*>\s*</a>", "", page)  # empty targets, for which it drops what is around
    return [
        visible(extract(page, fast=fast, favor_recall=recall, include_comments=False, deduplicate=False) or "")
        for fast, recall in ((True, False), (False, False), (False, True))
    ]


def untouched(page: str) -> bool:
    return before(page) is page and with_tables(page, flat_cells=True) == page and with_lists(page) == page


def words(text: str) -> list[str]:
    return visible(text).replace("|", " ").split()  # bars stand between the cells of a table


def visible(text: str) -> str:
    # trafilatura itself deletes joiners and the like; the stage keeps them.
    return "".join(char for char in text if char.isprintable() or char.isspace())


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_equals_a_direct_call_in_any_order_and_batch(backend: Backend) -> None:
    pages = warc("mini.warc.gz")[::8]
    payloads = [page.payload for page in pages]
    running = Extract(ExtractConfig(backend=backend), StageContext())
    whole = texts(running.apply(records(payloads)))
    backwards = [
        text
        for at in range(len(payloads), 0, -7)
        for text in texts(running.apply(records(payloads[max(0, at - 7) : at])))[::-1]
    ]
    running.close()
    assert whole == backwards[::-1]
    # Where nothing is rewritten the words are those of the library, in its order.
    pages_as_they_are = [untouched(payload.decode("utf-8")) for payload in payloads]
    pairs = [
        (words(text or ""), [words(answer) for answer in direct(backend, payload.decode("utf-8"))])
        for text, payload, same in zip(whole, payloads, pages_as_they_are, strict=True)
        if same
    ]
    assert len(pairs) > len(payloads) / 4
    assert all(found in answers for found, answers in pairs)
    assert sum(found == answers[0] for found, answers in pairs) >= 0.8 * len(pairs)


def token_f1(found: str, truth: str) -> float:
    ours, theirs = Counter(found.lower().split()), Counter(truth.lower().split())
    shared = sum((ours & theirs).values())
    return 2 * shared / max(1, sum(ours.values()) + sum(theirs.values()))


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "floor"), [("trafilatura", 0.92), ("resiliparse", 0.87)])
def test_quality_on_pages_with_truth(backend: Backend, floor: float) -> None:
    # Mean bag-of-words F1 on news pages of many sites; the floors are what was measured, less 0.02.
    pages = [page for page in warc("warc/aeb.warc.gz") if page.record_id in truths()][:40]
    running = Extract(ExtractConfig(backend=backend), StageContext())
    found = texts(running.apply(records([page.payload for page in pages])))
    running.close()
    scores = [token_f1(text or "", truths()[page.record_id]) for page, text in zip(pages, found, strict=True)]
    assert sum(scores) / len(scores) >= floor


def test_a_guarded_page_is_remembered(hostile: Extract, tmp_path: Path) -> None:
    batch = records([b"fine", b"HANG", b"EXIT", b"RAISE", b"fine too"])
    first = hostile.apply(batch)
    assert reasons(first) == ["", "extract-timeout", "extract-crash", "extract-failed", ""]
    folder = tmp_path / "quarantine"
    assert sorted(path.name[:32] for path in folder.iterdir()) == [bytes(15).hex() + "01", bytes(15).hex() + "02"]

    # A rerun decides the same without trying: with other payloads under the same ids nothing evil is left to run.
    again = Extract(ExtractConfig(wall_clock_s=0.5), StageContext(quarantine=str(folder)), loader=HOSTILE)
    tame = again.apply(records([b"fine", b"tame", b"tame", b"RAISE", b"fine too"]))
    assert reasons(tame) == reasons(first)
    # Under another limit the page gets another try.
    slower = Extract(ExtractConfig(wall_clock_s=2.0), StageContext(quarantine=str(folder)), loader=HOSTILE)
    assert reasons(slower.apply(records([b"fine", b"tame", b"tame"]))) == ["", "", ""]
    for running in (again, slower):
        running.close()


def test_without_quarantine_nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    running = Extract(ExtractConfig(wall_clock_s=0.5), StageContext(), loader=HOSTILE)
    assert reasons(running.apply(records([b"EXIT"]))) == ["extract-crash"]
    assert reasons(running.apply(records([b"tame"]))) == [""]
    running.close()
    assert not list(tmp_path.iterdir())


def test_a_broken_quarantine_file_is_no_verdict(hostile: Extract, tmp_path: Path) -> None:
    hostile.apply(records([b"EXIT"]))
    (path,) = (tmp_path / "quarantine").iterdir()
    path.write_bytes(b'{"reason": "anything"}')
    assert reasons(hostile.apply(records([b"tame"]))) == [""]


@pytest.mark.slow
def test_memory_and_time_on_stress_pages() -> None:
    # In a fresh process, since the peak of this one counts every test before; pages that time out other extractors.
    pages = warc("warc/llm-webkit-stress.warc.gz")
    assert pages
    code = (
        "from pathlib import Path\n"
        "from lauter.pipeline.contract import StageContext\n"
        "from lauter.stages.extract import Extract, ExtractConfig\n"
        "from tests.stages.extract.pages import records, warc\n"
        "pages = [page.payload for page in warc('warc/llm-webkit-stress.warc.gz')]\n"
        "stage = Extract(ExtractConfig(), StageContext())\n"
        "verdict = stage.apply(records(pages))\n"
        # Not ru_maxrss, in which the test process counts that this one was forked from.
        "def peak(pid):\n"
        "    return int(Path(f'/proc/{pid}/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "print(peak('self') + peak(stage.child_pid), max(verdict.reason))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry or "." for entry in sys.path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    kilobytes, worst = map(int, run.stdout.split())
    assert kilobytes * 1024 < 1.5e9
    assert worst < [reason.name for reason in Extract.reasons].index("extract-failed") + 1


@pytest.mark.soak
@pytest.mark.parametrize("backend", BACKENDS)
def test_damaged_pages_never_raise(backend: Backend) -> None:
    # 2,000 real pages with bytes cut, doubled, overwritten; a fixed seed, so a failure can be had again.
    random = Random(7)
    sources = [page.payload for page in warc("mini.warc.gz")]
    running = Extract(ExtractConfig(backend=backend), StageContext())
    for _ in range(50):
        payloads = []
        for _ in range(40):
            page = bytearray(random.choice(sources))
            for _ in range(random.randrange(1, 30)):
                start = random.randrange(len(page) + 1)
                stop = min(len(page), start + random.randrange(200))
                page[start:stop] = random.choice(
                    (b"", page[start:stop] * 20, random.randbytes(stop - start), b"<div>" * 9, b"<!--", b"&#xDFFF;")
                )
            payloads.append(bytes(page))
        verdict = running.apply(records(payloads, charset=random.choice((None, "utf-8", "gbk", "koi8-r"))))
        assert not {"extract-crash", "extract-timeout"} & set(reasons(verdict))
        for column in verdict.columns.values():
            column.validate(full=True)
    running.close()


@pytest.mark.slow
def test_in_a_ray_worker() -> None:
    ray = pytest.importorskip("ray")
    path = os.pathsep.join(entry or "." for entry in sys.path)
    environment = {"env_vars": {"PYTHONPATH": path}}
    ray.init("local", num_cpus=1, include_dashboard=False, runtime_env=environment, log_to_driver=False)

    def work(payloads: list[bytes]) -> tuple[list[str], list[Any]]:
        running = Extract(ExtractConfig(wall_clock_s=2.0), StageContext(), loader=HOSTILE)
        verdict = running.apply(records(payloads))
        return reasons(verdict), texts(verdict)

    try:
        found = ray.get(ray.remote(work).remote([b"page", b"EXIT", b"HANG", b"next"]))
    finally:
        ray.shutdown()
    assert found == (["", "extract-crash", "extract-timeout", ""], ["PAGE", None, None, "NEXT"])


def test_a_batch_without_rows(stage: Extract) -> None:
    verdict = stage.apply(records([]))
    assert verdict.reason.shape == (0,)
    assert isinstance(verdict.columns["text"], pa.LargeStringArray)
