"""From a record of the list to the HTTP message that a crawler would have stored."""

from __future__ import annotations

import html
import re
from functools import cache
from http import HTTPStatus

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from quickstart import oddities
from quickstart.pages import WEB, File, Record, Robots, Site
from quickstart.warc import member

_HEADING = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


@cache
def _environment() -> Environment:
    # The pages are our own HTML: nothing is to be escaped.
    return Environment(loader=FileSystemLoader(WEB / "_templates"), undefined=StrictUndefined, autoescape=False)


def fragment(page: str) -> str:
    """The file of a page, as written."""
    return (WEB / f"{page}.html").read_text("utf-8")


def plain_text(page: str) -> str:
    """The text of a page: one line an element, no markup."""
    lines = (html.unescape(_TAG.sub("", line)).strip() for line in fragment(page).splitlines())
    return "\n".join(line for line in lines if line)


def message(record: Record, site: Site) -> bytes:
    """The HTTP response of a record, coded and chunked as the list says."""
    body = _body(record, site)
    if record.damage == "bad-utf8":
        body = oddities.bad_utf8(body)
    for coding in record.coding:
        body = member(body) if coding == "gzip" else oddities.brotli(body)
    headers = {"Server": "quickstart", **record.headers}
    if record.content_type:
        headers["Content-Type"] = record.content_type
    if record.coding:
        headers["Content-Encoding"] = ", ".join(record.coding)
    if record.chunked:
        headers["Transfer-Encoding"] = "chunked"
        body = oddities.chunked(body)
    else:
        headers["Content-Length"] = str(len(body))
    return _message(record.status, headers, body)


def robots_message(robots: Robots, host: str) -> bytes:
    """A host's answer to the request for its robots.txt."""
    body = (WEB / host / robots.file).read_bytes() if robots.file else b""
    kind = "text/html" if (robots.file or "").endswith(".html") else "text/plain"
    headers = {"Server": "quickstart", "Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}
    if robots.location:
        headers["Location"] = robots.location
    return _message(robots.status, headers, body)


def file_message(file: File, host: str) -> bytes:
    """A host's answer to the request for another file."""
    body = (WEB / host / file.file).read_bytes()
    headers = {"Server": "quickstart", "Content-Type": file.content_type, "Content-Length": str(len(body))}
    return _message(200, headers, body)


def _body(record: Record, site: Site) -> bytes:
    page = record.page or ""
    if record.content == "text":
        return (WEB / f"{page}.txt").read_bytes()
    if record.content != "page":
        return oddities.body(record.content)
    main = fragment(page)
    heading = _HEADING.search(main)
    template = _environment().get_template(f"{site.template}.html")
    title = heading[1] if heading else site.name
    text = template.render(site=site, charset=record.charset, title=title, main=main.rstrip(), head=record.head)
    # What the encoding lacks (the © of the footer) is written as a character reference, as web servers' authors do.
    return text.encode(record.charset, "xmlcharrefreplace")


def _message(status: int, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
