"""The lists that describe the web: `sites.yaml` (hosts, their look, their robots.txt) and `pages.yaml` (records)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

WEB = Path(__file__).parent / "web"
"""Where the lists, the pages and the templates are."""

Model = TypeVar("Model")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Robots(_Entry):
    """What a host answered when it was asked for its robots.txt."""

    status: int = 200
    file: str | None = None
    """The body: a file in the host's folder; none: an empty body."""
    location: str | None = None


class File(_Entry):
    """Another file in which an owner speaks of the use of pages."""

    path: str
    """Where it lies on the host, `/.well-known/tdmrep.json`."""
    file: str
    """The body: a file in the host's folder."""
    content_type: str


class Site(_Entry):
    """A made-up host."""

    name: str
    lang: str
    """As in the attribute `lang` of its pages (BCP 47)."""
    dir: Literal["ltr", "rtl"] = "ltr"
    template: Literal["magazine", "portal", "classic"]
    menu: tuple[str, ...]
    aside: str
    cookies: str
    footer: str
    robots: Robots | None = None
    """None: the snapshot has no answer of this host."""
    files: tuple[File, ...] = ()
    """What else the snapshot has of it."""


class Expected(_Entry):
    """How the ledger must say that a record ended."""

    verdict: Literal["kept", "dropped", "duplicate", "error"] = "kept"
    stage: str | None = None
    reason: str | None = None
    duplicate_of: str | None = None
    """The page (as in `Record.page`) that stays in its place."""
    language: str | None = None
    """What the default model takes a kept page for, where that is not the language it is written in."""
    spans: tuple[str, ...] = ()
    """Kinds of personal data that are replaced in a kept page, in order."""


class Record(_Entry):
    """One entry of a WARC file."""

    page: str | None = None
    """`host/path`: the URL without its scheme, and the file below `web/` without its suffix; None: no record at all."""
    scheme: Literal["https", "http"] = "https"
    date: str = "2024-11-05T08:00:00Z"
    language: str | None = None
    """The language it is written in: ISO 639-3 and ISO 15924."""
    status: int = 200
    content_type: str | None = "text/html; charset=utf-8"
    """The HTTP header; None leaves it out."""
    charset: str = "utf-8"
    """The encoding of the bytes, and of the page's own declaration."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further HTTP headers."""
    head: str = ""
    """Further markup in the head of the page."""
    coding: tuple[Literal["gzip", "br"], ...] = ()
    """Content codings, in the order in which they are applied."""
    chunked: bool = False
    damage: Literal["bad-utf8", "cut", "long"] | None = None
    """`bad-utf8`: some bytes are not UTF-8. `cut`: the file ends inside the record. `long`: its length is a lie."""
    content: Literal["page", "text", "pdf", "png", "frames", "spaces", "garbage"] = "page"
    """What the body is: the page's file in its site's template, its text file, or something made by `oddities`."""
    expect: Expected = Expected()
    note: str = ""

    @property
    def url(self) -> str | None:
        """The target URI."""
        return f"{self.scheme}://{self.page}" if self.page else None

    @property
    def host(self) -> str:
        """The host of the URL."""
        return (self.page or "").partition("/")[0]


class Row(_Entry):
    """One row of a source that holds text already, in FineWeb's columns."""

    id: str
    url: str
    date: str
    language: str
    text: str | None = None
    page: str | None = None
    """Take the text of this page of the web in place of `text`."""
    expect: Expected = Expected()


class Sources(_Entry):
    """`pages.yaml`: file name -> its entries, in order."""

    warc: dict[str, tuple[Record, ...]]
    rows: dict[str, tuple[Row, ...]] = Field(default_factory=dict)


def sites() -> dict[str, Site]:
    """Host -> site, in the order of `sites.yaml`. Raises `pydantic.ValidationError`."""
    return _load("sites.yaml", dict[str, Site])


def sources() -> Sources:
    """All records of all files. Raises `pydantic.ValidationError`."""
    return _load("pages.yaml", Sources)


def _load(name: str, model: type[Model]) -> Model:
    return TypeAdapter(model).validate_python(yaml.safe_load((WEB / name).read_text("utf-8")))
