"""A snapshot on disk, asked by origin: every answer in a temporary SQLite file, so that memory does not follow it."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from lauter.pipeline.origin import locate
from lauter.stages.optout.snapshot.answer import Fetched
from lauter.stages.optout.snapshot.read import read_snapshot

HOPS = 5
"""Redirects that are followed: as many as RFC 9309 section 2.3.1.2 asks for."""

_TABLES = """
CREATE TABLE answer (
  kind TEXT, name TEXT, fetched INTEGER, status INTEGER, digest BLOB, body INTEGER, broken INTEGER, location TEXT,
  record TEXT, refers TEXT, refers_name TEXT, refers_fetched INTEGER, revisit INTEGER
);
CREATE TABLE body (number INTEGER PRIMARY KEY, digest BLOB, bytes BLOB);
CREATE UNIQUE INDEX by_digest ON body (digest);
"""
_INDEXES = "CREATE INDEX by_name ON answer (kind, name, fetched); CREATE INDEX by_record ON answer (record);"
_FAST = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;"
_NEVER = -(2**62)
_COLUMNS = "kind, fetched, status, digest, body, broken, location, refers, refers_name, refers_fetched, revisit"


class _Row(NamedTuple):
    kind: str
    fetched: int
    status: int | None
    digest: bytes | None
    body: int | None
    broken: int
    location: str | None
    refers: str | None
    refers_name: str | None
    refers_fetched: int | None
    revisit: int


class Answer(NamedTuple):
    """What an origin answered, redirects and revisits followed."""

    status: int | None
    body: bytes | None
    """None where there is none: no answer, or one that the snapshot does not hold."""
    broken: bool
    """Bytes of the snapshot are missing, or it refers to what is not there."""
    fetched_at: int | None
    sha256: str


class AnswerStore:
    """Answers of several snapshots. A pickled copy reads the same file, as long as the first is not closed."""

    def __init__(self, paths: Sequence[str], as_of: int | None) -> None:
        """Read the snapshots; answers after `as_of` (seconds since 1970) are left out.

        Raises ValueError or OSError for a snapshot that cannot be read at all.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="lauter-verify-")
        self._file = str(Path(self._folder.name) / "answers.sqlite")
        self._db = sqlite3.connect(self._file)
        self._db.executescript(_FAST + _TABLES)
        counts: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        for path in paths:
            for answer in read_snapshot(path, counts):
                if as_of is None or answer.fetched_at is None or answer.fetched_at <= as_of:
                    kinds[answer.kind] += 1
                    self._add(answer)
        self._db.executescript(_INDEXES)
        self._db.commit()
        self.kinds = frozenset(kinds)
        """The kinds of files that there are any answers of."""
        self.lost = counts["lost"] > 0
        """Whether bytes of the snapshots were lost: a missing origin may have been among them."""

    def _add(self, answer: Fetched) -> None:
        digest = body = None
        if answer.body is not None:
            digest = hashlib.sha256(answer.body).digest()
            added = self._db.execute("INSERT OR IGNORE INTO body (digest, bytes) VALUES (?, ?)", (digest, answer.body))
            body = added.lastrowid
            if not added.rowcount:
                (body,) = self._db.execute("SELECT number FROM body WHERE digest = ?", (digest,)).fetchone()
        told = answer.refers_to
        self._db.execute(
            "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                answer.kind,
                answer.name,
                _NEVER if answer.fetched_at is None else answer.fetched_at,
                answer.status,
                digest,
                body,
                answer.broken,
                answer.location,
                answer.record_id,
                told.record_id if told else None,
                (told.origin or answer.name) if told else None,
                told.fetched_at if told else None,
                told is not None and not answer.broken,
            ),
        )

    def __getstate__(self) -> dict[str, object]:
        """All but what belongs to the process that read the snapshots."""
        return {"_file": self._file, "kinds": self.kinds, "lost": self.lost}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Open the file, to read only."""
        self.__dict__.update(state)
        self._db = sqlite3.connect(f"file:{quote(self._file)}?mode=ro&immutable=1", uri=True)

    def newest(self, kind: str, name: str, before: int | None = None) -> Answer | None:
        """The answer of a file of an origin (an RSL document: of its URL), None where there is none.

        `before`: of those not later than this time; then a redirect to a name with several answers leads nowhere that
        is known. Of equally old ones a file counts before any other answer, then the largest digest, as everywhere
        (then status, then where it leads).
        """
        row = self._row(kind, name, before)
        if row is None:
            return None
        fetched = _time(row.fetched)
        for _ in range(HOPS + 1):
            if kind == "rsl" or row.broken or row.status is None or not 300 <= row.status < 400:
                return Answer(row.status, self._body(row.body), bool(row.broken), fetched, (row.digest or b"").hex())
            target = _redirect_origin(kind, name, row.location)
            following = self._row(kind, target, None) if target else None
            if following is None or target is None:
                break
            if before is not None and self.several(kind, target):
                return None
            row, name = following, target
        return Answer(None, None, broken=False, fetched_at=fetched, sha256="")

    def several(self, kind: str, name: str) -> bool:
        """Whether there is more than one answer of a name."""
        found = self._db.execute("SELECT 1 FROM answer WHERE kind = ? AND name = ? LIMIT 2", (kind, name)).fetchall()
        return len(found) > 1

    def _row(self, kind: str, name: str, before: int | None) -> _Row | None:
        """The newest answer, revisits resolved."""
        if kind not in self.kinds:
            return None
        found = self._select(
            "kind = ?1 AND name = ?2 AND fetched = "
            "(SELECT max(fetched) FROM answer WHERE kind = ?1 AND name = ?2 AND fetched <= ?3)",
            (kind, name, 2**62 if before is None else before),
        )
        rows = [self._resolved(row) if row.revisit else row for row in found]

        def rank(row: _Row) -> tuple[bool, bytes, int, str]:
            status = -1 if row.status is None else row.status
            file = row.digest is not None and (row.status is None or 200 <= row.status < 300)
            return file, row.digest or b"", status, _redirect_origin(kind, name, row.location) or ""

        return max(rows, key=rank, default=None)

    def _select(self, where: str, values: tuple[object, ...]) -> list[_Row]:
        return [_Row(*row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM answer WHERE {where}", values)]

    def _resolved(self, row: _Row) -> _Row:
        """A revisit with what it refers to; a broken answer where that is not there."""
        found = self._select("record = ?", (row.refers,)) if row.refers else []
        if len(found) != 1 and row.refers_fetched is not None:
            found = self._select(
                "kind = ? AND name = ? AND fetched = ?", (row.kind, row.refers_name, row.refers_fetched)
            )
        one = found[0] if len(found) == 1 else row
        usable = not one.revisit and not one.broken and one.kind == row.kind
        if usable and row.status in (None, _NOT_MODIFIED, one.status):
            return one._replace(fetched=row.fetched)
        return row._replace(broken=1)

    def _body(self, number: int | None) -> bytes | None:
        if number is None:
            return None
        body: bytes = self._db.execute("SELECT bytes FROM body WHERE number = ?", (number,)).fetchone()[0]
        return body

    def close(self) -> None:
        """Remove the temporary file."""
        self._db.close()
        self._folder.cleanup()


_PATHS = {"robots.txt": "/robots.txt", "tdmrep.json": "/.well-known/tdmrep.json", "ai.txt": "/ai.txt"}
_NOT_MODIFIED = 304
"""A revisit that was answered so has the status of what was not modified."""


def _redirect_origin(kind: str, origin: str, location: str | None) -> str | None:
    if not location:
        return None
    place = locate(origin.partition("//")[0] + location if location.startswith("//") else location)
    return place.origin if place and place.target.partition("?")[0] == _PATHS[kind] else None


def _time(fetched: int) -> int | None:
    return None if fetched == _NEVER else fetched
