"""The stage under its policies: every signal, alone, does what the policy says, and leaves its evidence."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from lauter.pipeline import schema
from lauter.pipeline.origin import origin_id
from lauter.stages.optout.stage import OptOut
from tests.stages.optout.conftest import Build, names, reasons

A = "https://a.example"
HTML = "text/html"


def robots(body: str, origin: str = A) -> dict[str, object]:
    return {"origin": origin, "status": 200, "body": body, "fetched_at": "2025-01-31T00:00:00Z"}


def page(url: str = f"{A}/x", headers: str = "", html: str = "", crawled: str | None = None) -> pa.RecordBatch:
    when = None if crawled is None else datetime.fromisoformat(crawled).replace(tzinfo=UTC)
    return pa.RecordBatch.from_pydict(
        {
            "url": pa.array([url]),
            "fetched_at": pa.array([when], pa.timestamp("s", tz="UTC")),
            "http_headers": pa.array([headers.encode()], pa.binary()),
            "payload": pa.array([html.encode()], pa.large_binary()),
            "media_type": pa.array([HTML]),
        }
    )


def ends(stage: OptOut, batch: pa.RecordBatch) -> str:
    return names(stage, stage.apply(batch))[0]


FILES: dict[str, dict[str, object]] = {
    "content-usage": robots("User-agent: *\nAllow: /\nContent-Usage: train-ai=n\n"),
    "content-usage-draft": robots("User-agent: *\nAllow: /\nContent-Usage: genai=n\n"),
    "content-signal": robots("User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n"),
    "tdm-reservation": {
        "url": f"{A}/.well-known/tdmrep.json",
        "status": 200,
        "body": '[{"location": "/*", "tdm-reservation": 1}]',
    },
    "ai-txt": {"url": f"{A}/ai.txt", "status": 200, "body": "User-Agent: *\nDisallow: /\n"},
    "rsl-unread": robots("User-agent: *\nAllow: /\nLicense: https://a.example/terms.xml\n"),
    "reserved-in-words": robots("# Text and data mining is reserved under Art. 4 of Directive (EU) 2019/790.\n"),
}
PAGES = {
    "noai": page(html='<meta name="robots" content="noai">'),
    "noimageai": page(headers="X-Robots-Tag: noimageai\r\n"),
    "agent-noindex": page(html='<meta content="noindex" name=GPTBot>'),
    "noindex": page(html='<META NAME="ROBOTS" CONTENT="NOINDEX,FOLLOW">'),
    "content-usage": page(headers="HTTP/1.1 200 OK\r\nContent-Usage: train-ai=n\r\n"),
    "tdm-reservation": page(headers="tdm-reservation: 1\r\n"),
}
STRICT_ONLY = {"content-usage-draft", "rsl-unread", "reserved-in-words", "noimageai", "noindex"}


@pytest.mark.parametrize("reason", FILES)
@pytest.mark.parametrize("policy", ["default", "strict", "apertus-2025-01"])
def test_a_signal_of_a_file(build: Build, reason: str, policy: str) -> None:
    stage = build([FILES[reason]], {"policy": policy})
    dropped = policy == "strict" or (policy == "default" and reason not in STRICT_ONLY)
    assert ends(stage, page()) == (reason if dropped else "")


@pytest.mark.parametrize("reason", PAGES)
@pytest.mark.parametrize("policy", ["default", "strict", "apertus-2025-01"])
def test_a_signal_of_a_page(build: Build, reason: str, policy: str) -> None:
    stage = build([robots("")], {"policy": policy})
    dropped = policy == "strict" or (policy == "default" and reason not in STRICT_ONLY)
    verdict = stage.apply(PAGES[reason])
    assert names(stage, verdict)[0] == (reason if dropped else "")
    assert verdict.signals is not None
    # What a page says is kept raw, whether it ends the page or not; Apertus did not look.
    assert verdict.signals.num_rows == (0 if policy == "apertus-2025-01" else 1)


def test_single_signals_can_be_chosen(build: Build) -> None:
    stage = build([FILES["reserved-in-words"]], {"signals": {"words": "drop"}})
    assert ends(stage, page()) == "reserved-in-words"
    stage = build([FILES["content-signal"]], {"signals": {"content-signal": "record"}})
    assert ends(stage, page()) == ""


def test_the_evidence_of_a_page_signal(build: Build) -> None:
    verdict = build([robots("")]).apply(page(html='<meta name="robots" content="index, noai">'))
    assert verdict.rule is not None
    rule = verdict.rule.to_pylist()[0]
    assert (rule["signal"], rule["agent"], rule["text"]) == ("noai", None, "meta robots: index, noai")
    assert verdict.signals is not None
    (row,) = verdict.signals.to_pylist()
    assert (row["row"], row["place"], row["name"], row["value"]) == (0, "meta", "robots", "index, noai")


def test_an_agent_is_named_as_the_policy_names_it(build: Build) -> None:
    verdict = build([robots("")]).apply(page(html='<meta name="gptbot" content="noindex">'))
    assert verdict.rule is not None
    assert verdict.rule.to_pylist()[0]["agent"] == "GPTBot"


def test_a_page_goes_before_the_tdmrep_file(build: Build) -> None:
    file = [FILES["tdm-reservation"]]
    freed = page(headers="tdm-reservation: 0\r\n")
    assert ends(build(file), freed) == ""
    assert ends(build(file, {"policy": "strict"}), freed) == "tdm-reservation"
    both = page(headers="tdm-reservation: 0\r\n", html='<meta name="tdm-reservation" content=1>')
    assert ends(build(file), both) == "tdm-reservation"


def test_a_basis_for_every_keep_and_drop(build: Build) -> None:
    body = "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /private\n"
    stage = build([robots(body), robots("", "https://www.b.example"), {"origin": "https://c.example", "status": 503}])
    urls: list[str | None] = [f"{A}/", f"{A}/private", "http://b.example/", "https://c.example/", "https://d.example/"]
    verdict = stage.apply(pa.record_batch({"url": pa.array([*urls, "mailto:x", None])}))
    basis = verdict.columns["basis"]
    assert basis.type == schema.BASIS
    rows = basis.to_pylist()
    assert [row and row["outcome"] for row in rows] == ["rules", "rules", "allow", "unreachable", "missing", None, None]
    assert [row and row["via"] for row in rows[:5]] == [None, None, "scheme+www", None, None]
    assert rows[2]["origin_id"] == origin_id("https://www.b.example")
    assert rows[4]["origin_id"] is None and rows[4]["sha256"] is None
    assert rows[0]["sha256"] == rows[1]["sha256"] and len(rows[0]["sha256"]) == 32
    assert rows[0]["fetched_at"] == datetime(2025, 1, 31, tzinfo=UTC)
    assert rows[0]["agents"] is None
    assert rows[1]["agents"] == ["CCBot", "GPTBot"]


def test_an_opt_out_that_stood_at_the_time_of_the_crawl(build: Build) -> None:
    rows: list[dict[str, object]] = [
        {"origin": A, "fetched_at": "2023-01-01", "status": 200, "body": "User-agent: GPTBot\nDisallow: /\n"},
        {"origin": A, "fetched_at": "2024-01-01", "status": 200, "body": ""},
    ]
    then, later, before = page(crawled="2023-06-01"), page(crawled="2024-06-01"), page(crawled="2022-06-01")
    stage = build(rows, {"also_at_crawl_time": True})
    assert [ends(stage, batch) for batch in (then, later, before)] == ["robots-disallow", "", ""]
    basis = stage.apply(then).columns["basis"].to_pylist()[0]
    assert basis["fetched_at"] == datetime(2023, 1, 1, tzinfo=UTC)
    assert [ends(build(rows), batch) for batch in (then, later)] == ["", ""]


def test_lists_of_hosts_go_before_everything_else(build: Build) -> None:
    lists = {
        "deny_hosts": [{"host": "*.shut.example", "reason": "court order 17/2025"}],
        "allow_hosts": [{"host": "a.example", "reason": "licence of 2025-03-01"}],
    }
    stage = build([robots("User-agent: *\nDisallow: /\n"), robots("", "https://x.shut.example")], lists)
    assert reasons(stage, [f"{A}/x", "https://x.shut.example/", "https://b.example/"]) == ["", "host-denied", ""]
    verdict = stage.apply(pa.record_batch({"url": [f"{A}/x", "https://x.shut.example/"]}))
    allowed = verdict.columns["basis"].to_pylist()[0]
    assert (allowed["outcome"], allowed["via"]) == ("host-list", "licence of 2025-03-01")
    assert verdict.rule is not None
    assert verdict.rule.to_pylist()[0] is None
    assert verdict.rule.to_pylist()[1]["text"] == "court order 17/2025"


def test_what_a_star_group_means(build: Build) -> None:
    rows = [robots("User-agent: *\nDisallow: /\n\n" + "".join(f"User-agent: {a}\nAllow: /\n\n" for a in ("GPTBot",)))]
    expected = {"agent": "robots-disallow", "fallback": "robots-disallow", "ignore": ""}
    for star, reason in expected.items():
        assert reasons(build(rows, {"star": star}), [f"{A}/"]) == [reason]


def test_strict_is_never_more_lenient(build: Build) -> None:
    for row in FILES.values():
        for batch in PAGES.values():
            default, strict = (ends(build([row], {"policy": name}), batch) for name in ("default", "strict"))
            assert strict or not default


def test_what_an_origin_points_to_has_versions_too(build: Build) -> None:
    """A redirect is older than the answer to which it leads: the opt-out of 2024 counts now, that of 2023 then."""
    moved = {"origin": A, "fetched_at": "2022-01-01", "status": 301, "location": "https://b.example/robots.txt"}
    bodies = {
        "2022-01-01": "",
        "2023-01-01": "User-agent: GPTBot\nDisallow: /then\n",
        "2024-01-01": "",
        "2025-01-01": "",
    }
    bodies["2025-01-01"] = "User-agent: GPTBot\nDisallow: /now\n"
    rows: list[dict[str, object]] = [moved]
    rows += [
        {"origin": "https://b.example", "fetched_at": when, "status": 200, "body": body}
        for when, body in bodies.items()
    ]
    stage = build(rows, {"also_at_crawl_time": True})
    crawled = {"2022-06-01": "", "2023-06-01": "robots-disallow", "2024-06-01": ""}
    for when, reason in crawled.items():
        assert ends(stage, page(f"{A}/then", crawled=when)) == reason
        assert ends(stage, page(f"{A}/now", crawled=when)) == "robots-disallow"
    assert ends(build(rows), page(f"{A}/now")) == "robots-disallow"


def test_licence_terms_have_versions_too(build: Build) -> None:
    rsl = '<rsl xmlns="https://rslstandard.org/rsl"><content url="/*"><license>{}</license></content></rsl>'
    terms = {"2023-01-01": '<prohibits type="usage">train-ai</prohibits>', "2024-01-01": ""}
    pointer = robots("User-agent: *\nAllow: /\nLicense: https://a.example/terms.xml\n")
    rows: list[dict[str, object]] = [pointer | {"fetched_at": "2022-01-01"}]
    rows += [
        {
            "url": f"{A}/terms.xml",
            "fetched_at": when,
            "status": 200,
            "content_type": "application/rsl+xml",
            "body": rsl.format(said),
        }
        for when, said in terms.items()
    ]
    stage = build(rows, {"also_at_crawl_time": True})
    assert [ends(stage, page(crawled=when)) for when in ("2023-06-01", "2024-06-01")] == ["rsl", ""]


def test_a_robots_txt_never_denies_itself_but_other_files_may(build: Build) -> None:
    own: list[str | None] = [f"{A}/robots.txt"]
    assert reasons(build([robots("User-agent: *\nDisallow: /\n")]), own) == [""]
    assert reasons(build([FILES["tdm-reservation"]]), own) == ["tdm-reservation"]


def test_of_equally_old_answers_a_file_counts_before_any_other(build: Build) -> None:
    """Whatever the digests are: 20 bodies of the 404, some of which have a larger one than the file."""
    file = robots("User-agent: GPTBot\nDisallow: /\n")
    for number in range(20):
        gone = {**file, "status": 404, "body": f"not here {number}"}
        for rows in ([file, gone], [gone, file]):
            assert reasons(build(rows), [f"{A}/"]) == ["robots-disallow"]
