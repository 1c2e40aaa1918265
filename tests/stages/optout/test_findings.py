"""What stands against a page where files, names and times differ: no opt-out is lost, evidence is of its file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import permutations

import pyarrow as pa
import pytest

from lauter.pipeline.origin import origin_id
from lauter.stages.optout.stage import OptOut
from tests.stages.optout.conftest import Build, names, reasons

A = "https://a.example"
SHUT = "User-agent: GPTBot\nDisallow: /\n"
RESERVED = '[{"location": "/", "tdm-reservation": 1}]'
SPEAKS = "tdm-reservation: 0\r\n"


def answer(url: str, body: str | None = "", when: str | None = None, status: int = 200) -> dict[str, object]:
    return {"url": url, "status": status, "body": body, "fetched_at": when}


def tdmrep(body: str | None, origin: str = A, when: str | None = None, status: int = 200) -> dict[str, object]:
    return answer(f"{origin}/.well-known/tdmrep.json", body, when, status)


def page(url: str = f"{A}/x", crawled: str | None = None, headers: str = "") -> pa.RecordBatch:
    when = None if crawled is None else datetime.fromisoformat(crawled).replace(tzinfo=UTC)
    return pa.record_batch(
        {
            "url": pa.array([url]),
            "fetched_at": pa.array([when], pa.timestamp("s", tz="UTC")),
            "http_headers": pa.array([headers.encode()], pa.binary()),
        }
    )


def end(stage: OptOut, batch: pa.RecordBatch) -> tuple[str, Mapping[str, object], Mapping[str, object] | None]:
    """Reason, basis and rule of the only page of a batch."""
    verdict = stage.apply(batch)
    basis = verdict.columns["basis"][0].as_py()
    return names(stage, verdict)[0], basis, None if verdict.rule is None else verdict.rule[0].as_py()


@pytest.mark.parametrize("robots", ["", SHUT.replace("/", "/elsewhere"), None])
def test_a_file_that_nobody_can_read_follows_on_unparsable(build: Build, robots: str | None) -> None:
    own = [] if robots is None else [answer(f"{A}/robots.txt", robots, "2025-01-01")]
    for broken in (tdmrep("reserved"), answer(f"{A}/ai.txt", "You may not mine this site.")):
        reason, basis, rule = end(build([*own, broken]), page())
        assert reason == "file-unparsable"
        assert (basis["outcome"], basis["sha256"], basis["fetched_at"]) == ("file-unparsable", None, None)
        assert rule is not None
        assert f"{A}{str(rule['text']).split()[0]}" == broken["url"]
        reason, basis, rule = end(build([*own, broken], {"on_unparsable": "allow"}), page())
        assert (reason, basis["outcome"], rule) == ("", "file-unparsable", None)


def test_a_file_that_nobody_can_read_matters_where_its_signal_does(build: Build) -> None:
    rows = [tdmrep("reserved")]
    assert reasons(build(rows, {"signals": {"tdmrep": "record"}}), [f"{A}/"]) == [""]
    assert end(build(rows), page(headers=SPEAKS))[0] == ""
    assert end(build(rows, {"policy": "strict"}), page(headers=SPEAKS))[0] == "file-unparsable"
    assert reasons(build([tdmrep("<html>not here")]), [f"{A}/"]) == [""]


def test_a_rule_goes_before_a_file_that_nobody_can_read(build: Build) -> None:
    reason, basis, rule = end(build([answer(f"{A}/robots.txt", SHUT), tdmrep("reserved")]), page())
    assert (reason, basis["outcome"], basis["agents"]) == ("robots-disallow", "rules", ["GPTBot"])
    assert rule is not None and rule["line"] == 2


def test_a_file_that_gave_no_answer_counts_under_strict(build: Build) -> None:
    rows = [answer(f"{A}/robots.txt"), tdmrep(None, status=503)]
    assert reasons(build(rows), [f"{A}/"]) == [""]
    reason, basis, rule = end(build(rows, {"policy": "strict"}), page())
    assert (reason, basis["outcome"], basis["sha256"]) == ("file-unreachable", "allow", None)
    assert rule is not None and rule["text"] == "/.well-known/tdmrep.json is unreachable"
    assert reasons(build(rows, {"policy": "strict", "on_unreachable": "allow"}), [f"{A}/"]) == [""]


def test_every_other_name_is_asked_and_any_may_deny(build: Build) -> None:
    others = ["http://a.example", "https://www.a.example", "http://www.a.example"]
    for bodies in set(permutations((SHUT, "", ""))):
        rows = [answer(f"{name}/robots.txt", body) for name, body in zip(others, bodies, strict=True)]
        reason, basis, _ = end(build(rows), page())
        assert reason == "robots-disallow"
        assert basis["origin_id"] == origin_id(others[bodies.index(SHUT)])
    rows = [answer(f"{name}/robots.txt") for name in others]
    reason, basis, _ = end(build(rows), page())
    assert (reason, basis["via"], basis["origin_id"]) == ("", "scheme", origin_id(others[0]))


def test_another_name_may_deny_by_any_of_its_files(build: Build) -> None:
    reason, basis, _ = end(build([tdmrep(RESERVED, "https://a.example")]), page("http://a.example/"))
    assert (reason, basis["via"], basis["origin_id"]) == ("tdm-reservation", "scheme", origin_id(A))


def test_another_name_is_asked_where_only_another_file_is_known(build: Build) -> None:
    rows = [tdmrep("[]"), answer("https://www.a.example/robots.txt", SHUT)]
    reason, basis, _ = end(build(rows), page())
    assert (reason, basis["via"]) == ("robots-disallow", "www")


def test_another_name_counts_at_the_time_of_the_crawl(build: Build) -> None:
    rows = [
        answer("http://a.example/robots.txt", SHUT, "2023-01-01"),
        answer("http://a.example/robots.txt", "", "2024-01-01"),
        answer(f"{A}/robots.txt", "", "2024-06-01"),
    ]
    stage = build(rows, {"also_at_crawl_time": True})
    reason, basis, _ = end(stage, page(crawled="2023-06-01"))
    assert (reason, basis["via"], basis["fetched_at"]) == (
        "robots-disallow",
        "scheme",
        datetime(2023, 1, 1, tzinfo=UTC),
    )
    assert end(stage, page(crawled="2024-02-01"))[0] == ""
    assert end(build(rows), page(crawled="2023-06-01"))[0] == ""


def test_evidence_of_then_is_of_the_origin_that_spoke_then(build: Build) -> None:
    rows = [
        tdmrep(RESERVED, when="2023-01-01"),
        tdmrep("[]", when="2024-01-01"),
        answer("https://www.a.example/robots.txt", "", "2024-01-01"),
    ]
    reason, basis, _ = end(build(rows, {"also_at_crawl_time": True}), page(crawled="2023-06-01"))
    assert (reason, basis["via"], basis["origin_id"]) == ("tdm-reservation", None, origin_id(A))
    assert basis["fetched_at"] == datetime(2023, 1, 1, tzinfo=UTC)


def test_an_owners_word_goes_before_what_nobody_knows(build: Build) -> None:
    down = answer(f"{A}/robots.txt", None, "2024-01-01", 503)
    noai = page(headers="X-Robots-Tag: noai\r\n", crawled="2023-06-01")
    reason, _, rule = end(build([down]), noai)
    assert reason == "noai"
    assert rule is not None and rule["signal"] == "noai"
    then = answer(f"{A}/robots.txt", SHUT, "2023-01-01")
    stage = build([then, down], {"also_at_crawl_time": True})
    assert end(stage, page(crawled="2023-06-01"))[0] == "robots-disallow"
    # What is known of the time of the crawl never takes back what stands now.
    opened = answer(f"{A}/robots.txt", "", "2023-01-01")
    stage = build([opened, down], {"also_at_crawl_time": True})
    assert end(stage, page(crawled="2023-06-01"))[0] == "robots-unreachable"
    stage = build([answer("http://a.example/robots.txt", "", "2023-01-01")], {"policy": "strict", "on_missing": "deny"})
    assert end(stage, page(crawled="2023-06-01"))[0] == "robots-missing"


def test_a_page_without_an_origin_has_no_evidence_of_another_reason(build: Build) -> None:
    stage = build([])
    verdict = stage.apply(page("ftp://a.example/x", headers="X-Robots-Tag: noai\r\n"))
    assert names(stage, verdict) == ["no-origin"]
    assert verdict.rule is None and verdict.columns["basis"].null_count == 1


def test_under_strict_a_page_takes_no_reservation_of_its_own_back(build: Build) -> None:
    both = page(headers="tdm-reservation: 1\r\n").append_column(
        "payload", pa.array([b'<meta name="tdm-reservation" content="0">'], pa.large_binary())
    )
    assert end(build([]), both)[0] == ""
    assert end(build([], {"policy": "strict"}), both)[0] == "tdm-reservation"
