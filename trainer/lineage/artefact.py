"""One link of a model's lineage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["export", "checkpoint", "corpus", "preferences", "tokenizer"]
State = Literal["holds", "differs", "not here"]


@dataclass(frozen=True, slots=True)
class Artefact:
    """Something that was made, with what it was made of."""

    kind: Kind
    name: str
    """As a person would call it: a run and its step, a corpus."""
    digest: str
    """SHA-256, hex: of a checkpoint's list of files, of an export's `lauter.json`; a corpus's root."""
    where: str | None
    """Where it lay when the next artefact was made of it; None where only the digest is known."""
    state: State
    """Whether what lies there now has that digest."""
    said: str = ""
    """What else is known of it, in a few words."""
    parents: tuple[Artefact, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As `lauter lineage --json` shows it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "digest": self.digest,
            "where": self.where,
            "state": self.state,
            "said": self.said,
            "parents": [parent.to_json() for parent in self.parents],
        }

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Artefact]]:
        """This one and all before it, with how far back they are; depth first."""
        yield depth, self
        for parent in self.parents:
            yield from parent.walk(depth + 1)
