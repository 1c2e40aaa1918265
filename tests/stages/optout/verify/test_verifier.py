"""The verifier beside the stage: no false alarm over what the stage kept, and every plain violation is found."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.pipeline.contract import StageContext, Verdict
from lauter.stages.optout.config import OptOutConfig
from lauter.stages.optout.stage import OptOut
from lauter.stages.optout.verify.audited import audited
from lauter.stages.optout.verify.verifier import Verifier
from tests.stages.optout.conftest import names

POLICIES = ("default", "strict", "apertus-2025-01")
A, B = "https://a.example", "https://www.b.example"
DAYS = ("2024-01-01", "2024-06-01", "2025-01-01")


def page(url: str | None, headers: str = "", html: str = "", crawled: str | None = None) -> dict[str, Any]:
    when = None if crawled is None else datetime.fromisoformat(crawled).replace(tzinfo=UTC)
    return {"url": url, "fetched_at": when, "http_headers": headers.encode(), "payload": html.encode()}


def batch_of(pages: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    kinds = {
        "url": pa.string(),
        "fetched_at": pa.timestamp("s", tz="UTC"),
        "http_headers": pa.binary(),
        "payload": pa.large_binary(),
    }
    columns = {name: pa.array([one[name] for one in pages], kind) for name, kind in kinds.items()}
    return pa.RecordBatch.from_pydict(columns | {"media_type": pa.array(["text/html"] * len(pages))})


class Case:
    """A stage and its verifier over one snapshot, and some pages."""

    def __init__(self, folder: str, rows: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> None:
        path = Path(folder) / "robots.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        chosen = OptOutConfig.model_validate({"snapshot": [str(path)], **config})
        self.stage = OptOut(chosen, StageContext(artefacts=folder))
        self.stage.prepare(folder)
        self.stage.open()
        self.verifier = Verifier(chosen)

    def decide(self, pages: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[int, str]]:
        """The stage's reasons, and what the verifier says to each page if it was kept."""
        batch = batch_of(pages)
        verdict = self.stage.apply(batch)
        found = dict(self.verifier.check(*self.seen(batch, verdict)))
        return names(self.stage, verdict), found

    def seen(self, batch: pa.RecordBatch, verdict: Verdict) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """What the verifier sees of a batch."""
        return self._ledger(batch), self._signals(verdict)

    @staticmethod
    def _ledger(batch: pa.RecordBatch) -> pa.RecordBatch:
        ids = pa.array([n.to_bytes(16, "big") for n in range(batch.num_rows)], schema.DOC_ID)
        times = batch.column("fetched_at").cast(pa.timestamp("ms", tz="UTC"))
        return pa.RecordBatch.from_pydict({"doc_id": ids, "url": batch.column("url"), "fetched_at": times})

    @staticmethod
    def _signals(verdict: Verdict) -> pa.RecordBatch:
        assert verdict.signals is not None
        rows = [row | {"doc_id": bytes(16)} for row in verdict.signals.to_pylist()]
        return pa.RecordBatch.from_pylist(rows, schema.SIGNAL)


def case(rows: Sequence[Mapping[str, Any]], config: Mapping[str, Any] | None = None) -> Iterator[Case]:
    """A case in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        made = Case(folder, rows, config or {})
        yield made
        made.verifier.close()


LINES = st.sampled_from(
    [
        *("User-agent: *", "User-agent: GPTBot", "User-agent: CCBot/2.0", "User-agent: GPTBot*", "User-agent: Other"),
        *("Useragent: GPTBot", "User-agent: CCBot, GPTBot", "\ufeffUser-agent: GPTBot", "User agent GPTBot"),
        *(
            "Disallow: /",
            "Disallow: /x",
            "Disallow: /*.html$",
            "Disallow:",
            "Disallow: /%24",
            "Disallow: x",
            "Disallow /",
        ),
        *("Dissallow: /x", "Disallow: /x/*?a=%2F", "Disallow: /\xa0", "Disallow: /x$", "Disallow: *y"),
        *("Allow: /", "Allow: /x/", "Allow: /x/y", "Allow /x", "Allow: /x/y.html", "Alow: /x", "Allow: /*y"),
        *(
            "Content-Usage: train-ai=n",
            "Content-Usage: /x train-ai=y",
            "Content-Usage: /x ai=n, genai=y",
            "Sitemap: /s",
        ),
        *("Content-Usage: train-ai=n; foo bar", "Content-Usage: train-ai=n,", "Content_Usage: /x/ train-ai=y"),
        *("Content-Signal: search=yes, ai-train=no", "Content-Signal: /x ai-train=yes", "Content-Signal: ai-train=yes"),
        *("License: https://a.example/terms.xml", "License: /terms.xml", "# hello", "", "Crawl-delay: 5"),
        *("# Text and data mining is reserved, Art. 4 of Directive (EU) 2019/790", "Noindex: /x", "<html>", "text"),
    ]
)
ROBOTS = st.lists(LINES, max_size=9).map("\n".join)
TDM = st.lists(
    st.fixed_dictionaries(
        {"tdm-reservation": st.sampled_from([0, 1, "1", "0", True, None, "x"])},
        optional={"location": st.sampled_from(["/", "/x/*", "*", "/x", "x/y", f"{A}/x/", 5, "/*.html$"])},
    ),
    max_size=3,
).map(json.dumps)
CONTENT = st.builds(
    "<content url='{}'>{}</content>".format,
    st.sampled_from(["/", "/x/*", f"{A}/x", "x"]),
    st.sampled_from(
        [
            "<license><prohibits type='usage'>ai-train</prohibits></license>",
            "<license><permits type='usage'>ai-train</permits></license>",
            "<license><permits type='usage'>search</permits></license>",
            "<prohibits type='usage'>all</prohibits>",
            "<license><prohibits>search ai-all</prohibits></license><license><permits>all</permits></license>",
            "<content url='/x/y'><license><prohibits>all</prohibits></license></content>",
        ]
    ),
)
RSL = st.lists(CONTENT, max_size=3).map(
    lambda parts: f"<rsl xmlns='https://rslstandard.org/rsl'>{''.join(parts)}</rsl>"
)
ORIGIN = st.sampled_from([A, "http://a.example", "https://www.a.example", B, "http://b.example"])
HEAD = {"fetched_at": st.sampled_from([*DAYS, None]), "status": st.sampled_from([200, 200, 200, None, 404, 403, 503])}
ROWS = st.one_of(
    st.fixed_dictionaries({"origin": ORIGIN, "body": ROBOTS, **HEAD}),
    st.fixed_dictionaries({"origin": ORIGIN, "body": ROBOTS, **HEAD}),
    st.fixed_dictionaries(
        {"origin": ORIGIN, "status": st.just(301), "location": ORIGIN.map(lambda to: to + "/robots.txt")}
        | {"fetched_at": HEAD["fetched_at"]}
    ),
    st.fixed_dictionaries({"url": ORIGIN.map(lambda one: one + "/.well-known/tdmrep.json"), "body": TDM, **HEAD}),
    st.fixed_dictionaries({"url": ORIGIN.map(lambda one: one + "/ai.txt"), "body": ROBOTS, **HEAD}),
    st.fixed_dictionaries({"url": st.just(f"{A}/terms.xml"), "body": RSL, "kind": st.just("rsl"), **HEAD}),
    st.fixed_dictionaries({"origin": ORIGIN, "status": st.just(200), "broken": st.just(True), "body": st.just("")}),
)
HEADERS = st.lists(
    st.sampled_from(
        [
            *("X-Robots-Tag: noai", "X-Robots-Tag: GPTBot: noindex, otherbot: x, none", "X-Robots-Tag: nofollow"),
            *(
                "X-Robots-Tag: nofollow, otherbot: x, noindex",
                "X-Robots-Tag: unavailable_after: Wed, 03 Dec 2025, none",
            ),
            *("tdm-reservation: 1", "tdm-reservation: 0", "tdm-reservation: 0, 0", "Content-Usage: train-ai=n"),
            *("Content-Usage: train-ai=n; a b", "Content-Usage: ai=n", "X-Robots-Tag: gptbot: noindex, noai"),
        ]
    ),
    max_size=2,
).map(lambda lines: "".join(f"{line}\r\n" for line in lines))
HTML = st.sampled_from(
    [
        *("", "", '<meta name="robots" content="noai, nofollow">', "<meta name=GPTBot content='noindex'>"),
        *('<meta name="tdm-reservation" content="1">', '<meta name="tdm-reservation" content="0">'),
        *('<meta name="robots" content="none">', '<meta name="otherbot" content="noindex">'),
    ]
)
TARGETS = [
    "/",
    "/x",
    "/x/",
    "/x/y",
    "/x/y.html",
    "/x/z.html?a=%2F",
    "/$",
    "/%24",
    "/y",
    "/robots.txt",
    "",
    "/a/../x",
    "/x%2Fy",
]
PAGES = st.lists(
    st.builds(
        page,
        st.one_of(st.builds(str.__add__, ORIGIN, st.sampled_from(TARGETS)), st.sampled_from([None, "mailto:x"])),
        HEADERS,
        HTML,
        st.sampled_from([None, "2023-01-01", "2024-03-01", "2024-12-31", "2025-06-01"]),
    ),
    min_size=1,
    max_size=6,
)
CHOICES = st.fixed_dictionaries(
    {"policy": st.sampled_from(POLICIES)},
    optional={
        "star": st.sampled_from(["agent", "fallback", "ignore"]),
        "on_missing": st.sampled_from(["allow", "deny"]),
        "on_unparsable": st.sampled_from(["allow", "deny"]),
        "as_of": st.just("2024-12-31"),
        "signals": st.just({"words": "drop", "robots.txt": "ignore"}),
        "deny_hosts": st.just([{"host": "b.example", "reason": "court"}]),
    },
)


GROUP = st.builds(
    "{}\n{}".format,
    st.sampled_from(
        ["User-agent: *", "User-agent: GPTBot", "User-agent: *\nUser-agent: GPTBot", "User-agent: GPTBot*"]
    ),
    st.lists(LINES, min_size=1, max_size=6).map("\n".join),
)
SITE = st.one_of(
    st.lists(GROUP, min_size=1, max_size=3)
    .map("\n".join)
    .map(lambda body: [{"origin": A, "body": body, "status": 200}]),
    TDM.map(lambda body: [{"url": f"{A}/.well-known/tdmrep.json", "body": body, "status": 200}]),
    GROUP.map(lambda body: [{"url": f"{A}/ai.txt", "body": body, "status": 200}]),
    RSL.map(
        lambda body: [
            {"origin": A, "body": "License: https://a.example/terms.xml", "status": 200},
            {"url": f"{A}/terms.xml", "kind": "rsl", "body": body, "status": 200},
        ]
    ),
)


def hold(rows: Sequence[Mapping[str, Any]], pages: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> None:
    """No page that the stage kept is a violation."""
    for one in case(rows, config):
        reasons, found = one.decide(pages)
        assert not [(pages[row]["url"], said) for row, said in found.items() if not reasons[row]]


@settings(max_examples=150)
@given(SITE, HEADERS, CHOICES)
def test_no_kept_page_of_one_site_is_a_violation(
    rows: list[Mapping[str, Any]], headers: str, config: Mapping[str, Any]
) -> None:
    hold(rows, [page(A + target, fields) for target in TARGETS for fields in ("", headers)], config)


@settings(max_examples=100)
@given(st.lists(ROWS, max_size=6), PAGES, CHOICES)
def test_no_kept_page_of_a_web_is_a_violation(
    rows: list[Mapping[str, Any]], pages: list[Mapping[str, Any]], config: Mapping[str, Any]
) -> None:
    hold(rows, pages, config)


def row(body: str, url: str = A, status: int | None = 200, day: str | None = "2025-01-01") -> dict[str, Any]:
    return {"url": url, "body": body, "status": status, "fetched_at": day}


FILES = {
    "robots-disallow": row("User-agent: GPTBot\nDisallow: /x\n"),
    "robots-unreachable": row("", status=503),
    "robots-unparsable": row("<!doctype html><title>Access denied</title>"),
    "content-usage": row("User-agent: *\nContent-Usage: /x train-ai=n\n"),
    "content-signal": row("User-agent: *\nAllow: /\nContent-Signal: search=yes, ai-train=no\n"),
    "tdm-reservation": row('[{"location": "/x*", "tdm-reservation": 1}]', f"{A}/.well-known/tdmrep.json"),
    "ai-txt": row("User-Agent: *\nDisallow: /\n", f"{A}/ai.txt"),
}
STRICT = {
    "content-usage-draft": row("User-agent: *\nContent-Usage: genai=n\n"),
    "robots-forbidden": row("", status=403),
    "rsl-unread": row("User-agent: *\nLicense: https://a.example/terms.xml\n"),
    "reserved-in-words": row("# Text and data mining is reserved under Art. 4 of Directive (EU) 2019/790.\n"),
}
SPOKEN = {
    "noai": page(f"{A}/x", html='<meta name="robots" content="noai">'),
    "agent-noindex": page(f"{A}/x", "X-Robots-Tag: GPTBot: noindex\r\n"),
    "content-usage": page(f"{A}/x", "Content-Usage: train-ai=n\r\n"),
    "tdm-reservation": page(f"{A}/x", "TDM-Reservation: 1\r\n"),
}
STRICTLY_SPOKEN = {
    "noimageai": page(f"{A}/x", "X-Robots-Tag: noimageai\r\n"),
    "noindex": page(f"{A}/x", html='<meta name="robots" content="none">'),
}


@pytest.mark.parametrize("reason", [*FILES, *STRICT])
def test_a_kept_page_that_a_file_denies_is_found(reason: str) -> None:
    policies = ("default", "strict") if reason in FILES else ("strict",)
    for policy in policies:
        for one in case([(FILES | STRICT)[reason]], {"policy": policy}):
            reasons, found = one.decide([page(f"{A}/x"), page("https://c.example/x")])
            assert reasons == [reason, ""]
            assert list(found) == [0]
            assert found[0].startswith(f"{A}/x ({'00' * 16}) was kept, but ")


@pytest.mark.parametrize("reason", [*SPOKEN, *STRICTLY_SPOKEN])
def test_a_kept_page_that_speaks_for_itself_is_found(reason: str) -> None:
    for one in case([row("")], {"policy": "strict" if reason in STRICTLY_SPOKEN else "default"}):
        reasons, found = one.decide([(SPOKEN | STRICTLY_SPOKEN)[reason], page(f"{A}/x")])
        assert reasons == [reason, ""]
        assert list(found) == [0]
        assert "the page says" in found[0]


def test_the_evidence_names_the_file_and_the_line() -> None:
    for one in case([row("User-agent: GPTBot\nDisallow: /x\n")]):
        _, found = one.decide([page(f"{A}/x")])
        assert "https://a.example/robots.txt denies GPTBot: line 2 `Disallow: /x` (SHA-256 " in found[0]
        assert "fetched 2025-01-01T00:00:00+00:00)" in found[0]


def test_terms_that_prohibit_training() -> None:
    terms = "<rsl><content url='/x'><license><prohibits type='usage'>ai-train</prohibits></license></content></rsl>"
    rows = [row("License: https://a.example/terms.xml\n"), row(terms, f"{A}/terms.xml") | {"kind": "rsl"}]
    for one in case(rows):
        reasons, found = one.decide([page(f"{A}/x"), page(f"{A}/y")])
        assert reasons == ["rsl", ""]
        assert list(found) == [0]


def test_other_names_of_an_origin_and_what_is_missing() -> None:
    rows = [row("User-agent: *\nDisallow: /\n", "https://www.c.example")]
    pages = [page("http://c.example/x"), page("https://d.example/")]
    for one in case(rows):
        assert one.decide(pages)[0] == ["robots-disallow", ""] and list(one.decide(pages)[1]) == [0]
    for one in case(rows, {"on_missing": "deny"}):
        assert list(one.decide(pages)[1]) == [0, 1]
    for one in case(rows, {"www_fallback": False}):
        assert one.decide(pages) == (["", ""], {})


def test_an_opt_out_of_the_time_of_the_crawl() -> None:
    rows = [row("User-agent: *\nDisallow: /\n", day="2023-01-01"), row("", day="2024-01-01")]
    pages = [page(f"{A}/x", crawled=day) for day in ("2022-01-01", "2023-06-01", "2024-06-01")]
    for one in case(rows, {"also_at_crawl_time": True}):
        reasons, found = one.decide(pages)
        assert reasons == ["", "robots-disallow", ""]
        assert list(found) == [1]


def test_lists_of_hosts() -> None:
    lists = {
        "deny_hosts": [{"host": "*.b.example", "reason": "court order"}],
        "allow_hosts": [{"host": "a.example", "reason": "licence"}],
    }
    for one in case([row("User-agent: *\nDisallow: /\n")], lists):
        reasons, found = one.decide([page(f"{A}/x"), page(f"{B}/x")])
        assert reasons == ["", "host-denied"]
        assert list(found) == [1] and "court order" in found[1]


def test_a_page_without_an_origin() -> None:
    for one in case([row("")]):
        assert list(one.decide([page(None), page("mailto:x")])[1]) == [0, 1]


def test_a_newer_snapshot_and_another_policy_in_place_of_the_manifests(tmp_path: Path) -> None:
    paths = [tmp_path / "old.jsonl", tmp_path / "new.jsonl"]
    paths[0].write_text(json.dumps(row("")) + "\n")
    paths[1].write_text(json.dumps(row("User-agent: CCBot\nDisallow: /\n", day="2026-01-01")) + "\n")
    config = OptOutConfig(snapshot=(str(paths[0]),), as_of="2025-12-31", policy="default")
    ledger = Case._ledger(batch_of([page(f"{A}/x")]))
    nothing = schema.SIGNAL.empty_table().to_batches()
    signals = nothing[0] if nothing else pa.RecordBatch.from_pylist([], schema.SIGNAL)
    for options, denied in (({}, []), ({"snapshot": [str(paths[1])]}, [0]), ({"policy": "strict"}, [])):
        one = Verifier(audited(config, options))
        assert [number for number, _ in one.check(ledger, signals)] == denied
        one.close()


def test_a_copy_in_another_process_says_the_same() -> None:
    for one in case([row("User-agent: *\nDisallow: /\n")], {"policy": "strict"}):
        copy = pickle.loads(pickle.dumps(one.verifier))
        ledger = Case._ledger(batch_of([page(f"{A}/x")]))
        signals = pa.RecordBatch.from_pylist([], schema.SIGNAL)
        assert list(copy.check(ledger, signals)) == list(one.verifier.check(ledger, signals))
        assert copy.notes(copy.tally()) == one.verifier.notes(one.verifier.tally()) != []
