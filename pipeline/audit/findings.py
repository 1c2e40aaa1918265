"""What an audit found, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HINT = (
    "to mend this, delete corpus.json and the files named above that lie in the run folder (never an input), then run "
    "the same `lauter build` again: it keeps what has its recorded size and makes the rest anew"
)
"""A build compares sizes only, so it keeps a changed file of the recorded size until someone deletes it."""

REBUILD = (
    "to mend decisions, rebuild with this snapshot or policy in the manifest, or take the pages down with "
    "`lauter takedown`"
)
ASK = "ask for the present root where you have that one from; nothing in the folder can mend that"


def counted(count: int, noun: str) -> str:
    """A number and its noun, an s behind it unless there is one: `1 record`, `2,000 records`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
    covered: dict[str, str] = field(default_factory=dict)
    """Stage -> how much its verifier had to derive them from, in one sentence."""
    tallies: dict[str, dict[str, int]] = field(default_factory=dict)
    """Stage -> the counts behind that sentence."""
    not_derived: list[str] = field(default_factory=list)
    """Stages whose decisions could have been derived again, and were not: a note says why."""
    denied: int = 0
    """How many of the violations are decisions that a verifier does not share."""
    other_root: int = 0
    """How many of the violations say that the root is not the one from outside."""

    def add(self, other: AuditReport) -> None:
        """Add what another check found."""
        self.root = other.root or self.root
        self.violations += other.violations
        self.notes += other.notes
        self.counts |= other.counts
        self.files += other.files
        self.recounted += other.recounted
        self.derived |= other.derived
        self.covered |= other.covered
        self.tallies |= other.tallies
        self.not_derived += other.not_derived
        self.denied += other.denied
        self.other_root += other.other_root

    @property
    def hints(self) -> list[str]:
        """How to mend what was found, a sentence for each kind of violation."""
        broken = len(self.violations) - self.denied - self.other_root
        kinds = ((broken, HINT), (self.denied, REBUILD), (self.other_root, ASK))
        return [sentence for count, sentence in kinds if count]

    @property
    def outcome(self) -> str | None:
        """That the audit holds, and what it left out; None where it does not hold."""
        if self.violations:
            return None
        left_out = ", ".join(self.not_derived)
        return "the audit holds" + (f", but decisions of {left_out} were not derived again" if left_out else "")

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data; `ok` says whether there is no violation, `decisions_not_derived` what that leaves out."""
        return {
            "ok": not self.violations,
            "root": self.root,
            **self.counts,
            "files_digested": self.files,
            "inputs_recounted": self.recounted,
            "decisions_derived": self.derived,
            "decisions_not_derived": self.not_derived,
            "decisions_covered": self.tallies,
            "violations": self.violations,
            "notes": self.notes,
            "hint": "\n".join(self.hints) or None,
        }
