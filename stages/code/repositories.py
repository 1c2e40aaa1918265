"""The repositories stage: source code of owners and repositories that opted out is dropped at once.

The list is what such registers publish (BigCode's "Am I in The Stack"): names of owners, and of single repositories.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from lauter.pipeline import schema
from lauter.pipeline.contract import FilePath, Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.stages.code.report import repositories_report

_HOST = re.compile(r"(?:https?://)?(?:www\.)?(?:github\.com|gitlab\.com|bitbucket\.org|codeberg\.org)/", re.IGNORECASE)
_NAME = re.compile(r"[^\s/]+")


class RepositoriesConfig(StageConfig):
    """Who opted out."""

    optout: FilePath
    """A text file with an owner (`ada`) or a repository (`ada/engine`, or its URL on a forge) a line, in any case; `#`
    begins a comment."""

    copies: Literal["keep", "drop"] = "drop"
    """Whether documents that are copies of an opted-out file, such as those of a fork, are dropped too, or only
    counted. Needs a stage that joins documents."""


def plain_name(written: str) -> str:
    """An owner or repository as it is compared: without the forge of its URL, in lower case.

    >>> plain_name("https://github.com/Ada/Engine.git"), plain_name(" Ada/Engine/ ")
    ('ada/engine', 'ada/engine')
    """
    return _HOST.sub("", written.strip(), count=1).strip("/").removesuffix(".git").lower()


def read_list(path: str) -> frozenset[str]:
    """The owners and repositories of a list, in lower case.

    Raises:
        ValueError: A line is neither; with file and line.
        OSError: It cannot be read.
    """
    found = set()
    with Path(path).open(encoding="utf-8-sig") as lines:
        try:
            for number, line in enumerate(lines, 1):
                name = plain_name(line.partition("#")[0])
                parts = name.split("/")
                if not name:
                    continue
                if len(parts) > 2 or not all(_NAME.fullmatch(part) for part in parts):
                    raise ValueError(f"{path}:{number}: {line.strip()[:80]!r} is no owner and no owner/repository")
                found.add(name)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: no UTF-8 text: {error.reason}") from None
    return frozenset(found)


class Repositories:
    """Drops files of owners and repositories that opted out.

    A record that does not say where it is from ends here too: it can't be looked up.
    """

    name: ClassVar[str] = "repositories"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = RepositoriesConfig
    reads: ClassVar[tuple[str, ...]] = ("repository",)
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("no-repository"),
        Reason("owner-opted-out", mirrored=True),
        Reason("repository-opted-out", mirrored=True),
    )
    decision_fields: ClassVar[frozenset[str]] = frozenset({"copies"})

    @classmethod
    def mirrors(cls, config: RepositoriesConfig) -> Literal["keep", "drop"]:
        """What becomes of copies elsewhere."""
        return config.copies

    @classmethod
    def check_config(cls, config: RepositoriesConfig) -> None:
        """Read the list. Raises ValueError, with file and line, for what cannot be used."""
        read_list(config.optout)

    @classmethod
    def report(
        cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: RepositoriesConfig
    ) -> ReportSection | None:
        """How many files are of who opted out."""
        return repositories_report(summary, config.copies)

    def __init__(self, config: RepositoriesConfig, context: StageContext) -> None:
        self._path = config.optout
        self._listed: frozenset[str] = frozenset()

    def open(self) -> None:
        """Read the list: some 100 bytes a name."""
        self._listed = read_list(self._path)

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Look up the repository of each record; the evidence is the line of the list."""
        reason = np.zeros(batch.num_rows, np.uint8)
        evidence: list[dict[str, Any] | None] = [None] * batch.num_rows
        for row, repository in enumerate(batch.column("repository").to_pylist()):
            name = plain_name(repository or "")
            owner = name.partition("/")[0]
            if not name:
                reason[row] = 1
            elif owner in self._listed:
                reason[row], name = 2, owner
            elif name in self._listed:
                reason[row] = 3
            if reason[row] > 1:
                evidence[row] = {"agent": None, "signal": "opt-out list", "line": None, "text": name}
        return Verdict(reason, rule=pa.array(evidence, schema.RULE))
