from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lauter.pipeline import schema
from lauter.pipeline.cli import app
from lauter.pipeline.origin import locate
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.takedown.demands import (
    Demand,
    DemandError,
    demand,
    joined,
    parse_tombstones,
    read_list,
    read_tombstones,
    tombstone_bytes,
)
from lauter.pipeline.takedown.find import Matcher
from lauter.pipeline.takedown.tell import NEAR_DEMANDS, near_spellings
from tests.pipeline.small_run import build, ledger, write_manifest


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_value_is_the_digest_of_the_normal_form() -> None:
    assert demand("url", "HTTPS://me@Example.org:443/a?b#c").value == sha256("https://example.org/a?b")
    assert demand("host", "Bücher.Example.").value == sha256("xn--bcher-kva.example")
    assert demand("host", "*.Example.org").value == sha256("*.example.org")
    assert demand("host", "[2001:DB8::1]").value == sha256("[2001:db8::1]")
    assert demand("doc-id", "00FF" * 8).value == "00ff" * 8


@pytest.mark.parametrize(
    "host",
    [
        "",
        "https://example.org",
        "example.org/a",
        "example.org:80",
        "[::1]:80",
        "me@example.org",
        "*",
        "*.[::1]",
        "a b",
        "*.",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"is no host|has no subdomains"):
        demand("host", host)


def test_a_list_names_its_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(f"# a comment\n\n{'ab' * 16}\n12\n")
    with pytest.raises(DemandError, match=r"ids\.txt:4: '12' is no doc_id"):
        read_list(str(path), "doc-id")
    path.write_text(f"# a comment\n\n{'ab' * 16}\n")
    assert [item.value for item in read_list(str(path), "doc-id")] == ["ab" * 16]
    with pytest.raises(DemandError, match="cannot be read"):
        read_list(str(tmp_path / "none"), "url")


def test_a_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    first, again = (
        [demand("url", "https://a.example/"), demand("host", "b.example")],
        demand("url", "https://a.example"),
    )
    known, new = joined(first, [again, demand("doc-id", "00" * 16)])
    assert len(known) == 3 and [item.kind for item in new] == ["doc-id"]
    data = tombstone_bytes(known)
    assert parse_tombstones(data, "list") == known
    assert b"a.example" not in data and b"b.example" not in data
    for broken in (b"{}", b"[]", b'{"kind": "url", "value": "00", "number": 1}', b"no json"):
        with pytest.raises(DemandError, match=r"list:1: is no demand"):
            parse_tombstones(broken, "list")
    Storage(str(tmp_path)).write("takedown/tombstones.jsonl", b"no json\n")
    with pytest.raises(StorageError, match=r"tombstones\.jsonl:1"):
        read_tombstones(Storage(str(tmp_path)))


HOSTS = st.sampled_from(["a.example", "www.a.example", "b.a.example", "ba.example", "example", "[::1]", "1.2.3.4"])
URLS = st.one_of(
    st.none(),
    st.builds(
        lambda scheme, host, port, path: f"{scheme}://{host}{port}{path}",
        st.sampled_from(["http", "https", "HTTP"]),
        HOSTS,
        st.sampled_from(["", ":80", ":443", ":8080"]),
        st.sampled_from(["", "/", "/x", "/x#y", "/x?y"]),
    ),
    st.sampled_from(["", "urn:x", "https://", "//a.example/"]),
)
DEMANDS = st.one_of(
    URLS.filter(lambda url: url is not None and locate(url) is not None).map(lambda url: ("url", url)),
    HOSTS.map(lambda host: ("host", host)),
    HOSTS.filter(lambda host: not host.startswith("[")).map(lambda host: ("host", f"*.{host}")),
    st.integers(0, 9).map(lambda number: ("doc-id", f"{number:032x}")),
)


def plain_host(url: str | None) -> str | None:
    place = locate(url) if url else None
    if place is None:
        return None
    host = place.origin.split("://")[1]
    return host[: host.index("]") + 1] if host.startswith("[") else host.split(":")[0]


def plainly(kind: str, wanted: str, url: str | None, doc_id: bytes) -> bool:
    """Whether a demand hits a row, read as the documentation has it."""
    if kind == "doc-id":
        return doc_id.hex() == wanted
    if kind == "host":
        host = plain_host(url)
        name = wanted.removeprefix("*.")
        return host is not None and (host == name or (wanted.startswith("*.") and host.endswith("." + name)))
    if url is None:
        return False
    one, other = locate(url), locate(wanted)
    return one == other if one and other else url == wanted


@settings(max_examples=300, deadline=None)
@given(wanted=st.lists(DEMANDS, max_size=6), urls=st.lists(URLS, max_size=12))
def test_rows_are_found_as_by_a_plain_reading(wanted: list[tuple[str, str]], urls: list[str | None]) -> None:
    ids = [number.to_bytes(16, "big") for number in range(len(urls))]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(ids, schema.DOC_ID), pa.array(urls, pa.string())], names=["doc_id", "url"]
    )
    demands, _ = joined([], [demand(kind, text) for kind, text in wanted])
    order = {demand(kind, text).identity: number for number, (kind, text) in reversed(list(enumerate(wanted)))}
    expected = []
    for url, doc_id in zip(urls, ids, strict=True):
        hits = [i for i, item in enumerate(demands) if plainly(*wanted[order[item.identity]], url, doc_id)]
        expected.append(min(hits, default=-1))
    matcher = Matcher(demands)
    assert matcher.first(batch).tolist() == expected
    assert matcher.first(batch.slice(3)).tolist() == expected[3:]
    assert np.array_equal(matcher.first(batch.slice(0, 0)), [])


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    lines = "one\tsome words on a page\ntwo\tother words on a page\nsix\tother words on a page"
    build(write_manifest(tmp_path, {"a.txt": lines}), tmp_path / "out")
    (tmp_path / "urls.txt").write_text("https://two.example/\nhttps://none.example/\n")
    run = CliRunner().invoke
    arguments = ["takedown", str(tmp_path / "out"), "--urls", str(tmp_path / "urls.txt"), "--reason", "a request"]
    shown = run(app, [*arguments, "--date", "2026-01-31"])
    assert shown.exit_code == 0, shown.output
    assert "no record yet: url https://none.example/;" in shown.output and "1 near-copies left" in shown.output
    for path in (tmp_path / "out/takedown").iterdir():
        assert "none.example" not in path.read_text(), "what is demanded is published as a digest"
    receipt = json.loads((tmp_path / "out/takedown/receipt-0001.json").read_text())
    assert [(item["reason"], item["date"]) for item in receipt["demands"]] == [("a request", "2026-01-31")] * 2
    told = run(app, [*arguments, "--json", "--with-copies"])
    assert told.exit_code == 0
    assert json.loads(told.stdout)["copies"]["taken"] is True
    assert {row["verdict"] for row in ledger(tmp_path / "out")} == {"kept", "removed"}
    again = run(app, [*arguments[:4], "--reason", "another", "--date", "2026-01-31"]).output
    assert "nothing new" in again
    assert "known already: url https://two.example/, from takedown 1, reason: a request, date 2026-01-31" in again
    assert "the reason given now was not recorded" in again
    nothing = json.loads(run(app, [*arguments, "--json"]).stdout)
    assert (nothing["number"], nothing["root"]) == (None, None), "there is no receipt of it"
    assert [item["number"] for item in nothing["told"]["known"]] == [1, 1]


def test_near_spellings_that_stay_are_named(tmp_path: Path) -> None:
    lines = "one\tsome words on a page\nwww.two\tother words on this page"
    build(write_manifest(tmp_path, {"a.txt": lines}), tmp_path / "out")
    (tmp_path / "urls.txt").write_text("http://one.example\nhttps://two.example/\n")
    (tmp_path / "hosts.txt").write_text("www.one.example\n")
    lists = ["--urls", str(tmp_path / "urls.txt"), "--hosts", str(tmp_path / "hosts.txt")]
    shown = CliRunner().invoke(app, ["takedown", str(tmp_path / "out"), *lists]).output
    assert shown.count("no record yet") == 3
    assert "hint: https://one.example/, near http://one.example, stays with 1 record;" in shown
    assert "hint: https://www.two.example/, near https://two.example/, stays with 1 record;" in shown
    assert "hint: one.example, near www.one.example, stays with 1 record;" in shown
    assert {row["verdict"] for row in ledger(tmp_path / "out")} == {"kept"}, "a hint removes nothing"
    told = CliRunner().invoke(app, ["takedown", str(tmp_path / "out"), *lists, "--with-copies", "--json"])
    assert len(json.loads(told.stdout)["told"]["near"]) == 3


def test_near_spellings_are_not_demands_and_have_a_limit() -> None:
    both = [demand("url", "https://a.example/x"), demand("url", "http://a.example/x/")]
    near = near_spellings(both)
    assert len(near.demands) == 6, "eight spellings, of which two are demanded"
    assert not {item.identity for item in near.demands} & {item.identity for item in both}
    assert near_spellings([demand("host", "*.a.example"), Demand("copy", "ab" * 16)]).demands == ()
    long = near_spellings(both * (NEAR_DEMANDS // 2 + 1))
    assert not long.looked and long.demands == ()


def test_a_folder_is_no_list_of_the_filter(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["filter-output", "--list", str(tmp_path)], input="x")
    assert shown.exit_code == 2 and "takedown/output-filter.json" in " ".join(shown.output.split())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "no list"),
        (["--urls", "none.txt"], 2, "cannot be read"),
        (["--hosts", "hosts.txt"], 2, r"hosts.txt:1: 'a/b' is no host"),
        (["--urls", "empty.txt"], 2, "holds no demand"),
        (["--urls", "urls.txt", "--date", "today"], 2, "write it as 2026-01-31"),
        (["--urls", "urls.txt", "--date", "2026-02-30"], 2, "is no day"),
        (["--urls", "urls.txt", "--date", "20260131"], 2, "is no day"),
        (["--urls", "bare.txt"], 2, "bare.txt:2: 'a.example/x' is no http(s) URL"),
        (["--urls", "urls.txt"], 2, "holds no finished corpus"),
    ],
)
def test_the_command_refuses_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.txt").write_text("a/b\n")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "urls.txt").write_text("https://a.example/\n")
    (tmp_path / "bare.txt").write_text("https://a.example/\na.example/x\n")
    shown = CliRunner().invoke(app, ["takedown", str(tmp_path / "out"), *arguments])
    assert shown.exit_code == code
    assert said in " ".join(shown.output.split())
    assert not (tmp_path / "out").exists(), "where there is no run folder none is made"
