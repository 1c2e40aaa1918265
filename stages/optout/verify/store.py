"""A snapshot on disk, asked by origin: every answer in a temporary SQLite file, so that memory does not follow it."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lauter.pipeline.origin import locate
from lauter.stages.optout.snapshot.read import read_snapshot

HOPS = 5
"""Redirects that are followed: as many as RFC 9309 section 2.3.1.2 asks for."""

_TABLES = """
CREATE TABLE answer (
  kind TEXT, origin TEXT, fetched INTEGER, status INTEGER, digest BLOB, broken INTEGER, location TEXT, record TEXT,
  refers TEXT, refers_origin TEXT, refers_fetched INTEGER
);
CREATE TABLE body (digest BLOB PRIMARY KEY, bytes BLOB) WITHOUT ROWID;
"""
_NEVER = -(2**62)
_COLUMNS = "fetched, status, digest, broken, location, refers, refers_origin, refers_fetched"
_Row = tuple[int, int | None, bytes | None, int, str | None, str | None, str | None, int | None]


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
    """Answers of several snapshots."""

    def __init__(self, paths: Sequence[str], as_of: int | None) -> None:
        """Read the snapshots; answers after `as_of` (seconds since 1970) are left out.

        Raises ValueError or OSError for a snapshot that cannot be read at all.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="lauter-verify-")
        self._db = sqlite3.connect(str(Path(self._folder.name) / "answers.sqlite"))
        self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLES)
        self.counts: Counter[str] = Counter()
        for path in paths:
            for answer in read_snapshot(path, self.counts):
                if as_of is not None and answer.fetched_at is not None and answer.fetched_at > as_of:
                    continue
                digest = None if answer.body is None else hashlib.sha256(answer.body).digest()
                if digest is not None:
                    self._db.execute("INSERT OR IGNORE INTO body VALUES (?, ?)", (digest, answer.body))
                told = answer.refers_to
                self._db.execute(
                    "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        answer.kind,
                        answer.url if answer.kind == "rsl" else answer.origin,
                        _NEVER if answer.fetched_at is None else answer.fetched_at,
                        answer.status,
                        digest,
                        answer.broken,
                        answer.location,
                        answer.record_id,
                        told.record_id if told else None,
                        (told.origin or answer.origin) if told else None,
                        told.fetched_at if told else None,
                    ),
                )
        self._db.executescript(
            "CREATE INDEX by_origin ON answer (kind, origin, fetched); CREATE INDEX by_record ON answer (record);"
        )
        self._db.commit()

    @property
    def lost(self) -> bool:
        """Whether bytes of the snapshots were lost: a missing origin may have been among them."""
        return self.counts["lost"] > 0

    def newest(self, kind: str, origin: str, before: int | None = None) -> Answer | None:
        """The answer of a file of an origin (an RSL document: of its URL), None where there is none.

        `before`: of those not later than this time. Of equally old ones the largest digest counts, as everywhere.
        """
        row = self._row(kind, origin, before)
        if row is None:
            return None
        fetched = row[0]
        for _ in range(HOPS + 1):
            row = self._resolved(row, origin)
            if row is None:
                return Answer(None, None, broken=True, fetched_at=_time(fetched), sha256="")
            if kind == "rsl" or row[1] is None or not 300 <= row[1] < 400:
                return Answer(row[1], self._body(row[2]), bool(row[3]), _time(fetched), (row[2] or b"").hex())
            target = _redirect_origin(kind, origin, row[4])
            row = self._row(kind, target, before) if target else None
            if row is None:
                break
            origin = target or origin
        return Answer(None, None, broken=False, fetched_at=_time(fetched), sha256="")

    def _row(self, kind: str, origin: str, before: int | None) -> _Row | None:
        found: _Row | None = self._db.execute(
            f"SELECT {_COLUMNS} FROM answer "
            "WHERE kind = ? AND origin = ? AND fetched <= ? ORDER BY fetched DESC, digest DESC, status DESC LIMIT 1",
            (kind, origin, 2**62 if before is None else before),
        ).fetchone()
        return found

    def _resolved(self, row: _Row, origin: str) -> _Row | None:
        """What a revisit refers to; the row itself if it is none; None where that is not there."""
        if row[5] is None and row[6] is None:
            return row
        wanted = f"SELECT {_COLUMNS} FROM answer WHERE "
        found: list[_Row] = self._db.execute(wanted + "record = ?", (row[5],)).fetchall() if row[5] else []
        if len(found) != 1 and row[7] is not None:
            found = self._db.execute(
                wanted + "kind = 'robots.txt' AND origin = ? AND fetched = ? AND refers_origin IS NULL",
                (row[6] or origin, row[7]),
            ).fetchall()
        return found[0] if len(found) == 1 and found[0][6] is None else None

    def _body(self, digest: bytes | None) -> bytes | None:
        if digest is None:
            return None
        body: bytes = self._db.execute("SELECT bytes FROM body WHERE digest = ?", (digest,)).fetchone()[0]
        return body

    def close(self) -> None:
        """Remove the temporary file."""
        self._db.close()
        self._folder.cleanup()


_PATHS = {"robots.txt": "/robots.txt", "tdmrep.json": "/.well-known/tdmrep.json", "ai.txt": "/ai.txt"}


def _redirect_origin(kind: str, origin: str, location: str | None) -> str | None:
    if not location:
        return None
    if location.startswith("//"):
        location = origin.partition("//")[0] + location
    elif location.startswith("/"):
        location = origin + location
    place = locate(location)
    return place.origin if place and place.target.partition("?")[0] == _PATHS[kind] else None


def _time(fetched: int) -> int | None:
    return None if fetched == _NEVER else fetched
