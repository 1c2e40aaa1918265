"""Origins: every spelling of an origin is one origin, and nothing else is."""

from __future__ import annotations

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.origin import locate, normalise, origin_id, relatives, target_of


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://example.org", "https://example.org", "/"),
        ("https://example.org/a?b#c", "https://example.org", "/a?b"),
        ("HTTP://EXAMPLE.org:80/", "http://example.org", "/"),
        ("https://example.org:443", "https://example.org", "/"),
        ("https://example.org:80/", "https://example.org:80", "/"),
        ("http://example.org:/x", "http://example.org", "/x"),
        ("https://user:pass@example.org/x", "https://example.org", "/x"),
        ("https://a@b@example.org/x", "https://example.org", "/x"),
        ("https://example.org./x", "https://example.org", "/x"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example", "/ü"),
        ("https://BÜCHER.example", "https://xn--bcher-kva.example", "/"),
        ("https://faß.example", "https://xn--fa-hia.example", "/"),
        ("https://例え。テスト/", "https://xn--r8jz45g.xn--zckzah", "/"),
        ("https://💩.la/", "https://xn--ls8h.la", "/"),
        ("https://ex%61mple.org/", "https://example.org", "/"),
        ("http://[2001:DB8:0:0:0:0:0:1]:8080/", "http://[2001:db8::1]:8080", "/"),
        ("http://my_host.example.org/", "http://my_host.example.org", "/"),
        ("http://localhost?q", "http://localhost", "/?q"),
        ("  https://example.org/a b ", "https://example.org", "/a b"),
        ("https://exa\tmple.org/\n", "https://example.org", "/"),
        ("http://example.org#/x", "http://example.org", "/"),
    ],
)
def test_spellings(url: str, origin: str, target: str) -> None:
    assert locate(url) == (origin, target)
    assert normalise(origin) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "mailto:a@b.c",
        "javascript:0",
        "http:///x",
        "http://",
        "https://:80/",
        "/a",
        "http://a..b/",
        "http://.a/",
        "http://a b/",
        "http://exa%/mple/",
        "http://[::1/",
        "http://[x]/",
        "http://a:99999/",
        "http://a:x/",
        "http://evil.example\\@good.example/",
        "http://a<b/",
        "http:/example.org",
        "http://%ff.example/",
    ],
)
def test_no_origin(url: str) -> None:
    assert locate(url) is None


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    for url in (text, "http://" + text, "https://example.org/" + text):
        place = locate(url)
        if place:
            assert normalise(place.origin) == place.origin
            assert place.target.startswith("/")
            assert "#" not in place.target


@given(
    host=st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){1,3}", fullmatch=True),
    scheme=st.sampled_from(["http", "https"]),
    upper=st.booleans(),
)
def test_dressing_up_changes_nothing(*, host: str, scheme: str, upper: bool) -> None:
    plain = locate(f"{scheme}://{host}/p")
    port = {"http": 80, "https": 443}[scheme]
    dressed = f"{scheme}://u:p@{host.upper() if upper else host}.:{port}/p"
    assert locate(dressed) == plain == (f"{scheme}://{host}", "/p")


def test_id_is_the_published_hash() -> None:
    assert origin_id("https://example.org") == xxhash.xxh3_64_intdigest(b"https://example.org")


def test_relatives() -> None:
    assert relatives("http://www.a.org", scheme=True, www=True) == (
        "https://www.a.org",
        "http://a.org",
        "https://a.org",
    )
    assert relatives("http://a.org", scheme=False, www=True) == ("http://www.a.org",)
    assert relatives("http://a.org:8080", scheme=True, www=True) == ("http://www.a.org:8080",)
    assert relatives("http://192.0.2.1", scheme=True, www=True) == ("https://192.0.2.1",)
    assert relatives("http://[::1]", scheme=False, www=True) == ()
    assert relatives("http://www.org", scheme=False, www=True) == ()


def test_target_of_any_url() -> None:
    assert target_of("ftp://example.org/a#b") == "/a"
    assert target_of("a?b") == "/a?b"
    assert target_of("") == "/"
