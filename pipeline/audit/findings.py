"""What an audit found, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HINT = (
    "to mend this, delete corpus.json and the files named above that lie in the run folder (never an input), then run "
    "the same `lauter build` again: it keeps what has its recorded size and makes the rest anew"
)
"""A build compares sizes only, so it keeps a changed file of the recorded size until someone deletes it."""


@dataclass
class AuditReport:
    """What the audit found."""

    root: str | None = None
    """The root of the corpus, hex (`proof.chain`): who has it from elsewhere can prove that this is that corpus. None
    where corpus.json cannot be read."""
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """Records that went in and ledger rows by verdict, over the parts whose ledger is intact."""
    files: int = 0
    recounted: int = 0
    derived: dict[str, int] = field(default_factory=dict)
    """Stage -> kept records whose decision was derived again by its verifier."""

    def add(self, other: AuditReport) -> None:
        """Add what another check found."""
        self.root = other.root or self.root
        self.violations += other.violations
        self.notes += other.notes
        self.counts |= other.counts
        self.files += other.files
        self.recounted += other.recounted
        self.derived |= other.derived

    @property
    def hint(self) -> str | None:
        """How to mend what was found, or None if nothing was."""
        return HINT if self.violations else None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data; `ok` says whether there is no violation."""
        return {
            "ok": not self.violations,
            "root": self.root,
            **self.counts,
            "files_digested": self.files,
            "inputs_recounted": self.recounted,
            "decisions_derived": self.derived,
            "violations": self.violations,
            "notes": self.notes,
            "hint": self.hint,
        }
