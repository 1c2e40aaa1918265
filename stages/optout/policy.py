"""Policies: which signals of whom end a page, and what happens where nothing is known. Data, dated and versioned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from lauter.stages.optout import data_file
from lauter.stages.optout.robots.rules import Reading

SIGNALS: Mapping[str, str] = {
    "robots.txt": "Allow and Disallow of robots.txt (RFC 9309) for an agent of the policy",
    "content-usage": "Content-Usage: train-ai=n, as a rule of robots.txt or a header (IETF aipref)",
    "content-usage-draft": "the same with the keys of earlier drafts: ai=n, genai=n",
    "content-signal": "Content-Signal: ai-train=no in robots.txt",
    "tdmrep": "TDM Reservation Protocol: tdmrep.json, header or meta element with tdm-reservation 1",
    "noai": "noai in a robots meta element or X-Robots-Tag",
    "noimageai": "noimageai there: speaks of images only",
    "agent-noindex": "noindex or none there, said to an agent of the policy by name",
    "noindex": "noindex or none there, said to everyone",
    "ai.txt": "ai.txt (Spawning): text may not be mined",
    "rsl": "RSL licence document that prohibits training, or permits without it",
    "rsl-unread": "pointer to licence terms that the snapshot does not hold",
    "licence": "a licence named in the page (rel=license, dcterms.rights, JSON-LD)",
    "words": "a reservation in words, in a comment of robots.txt",
}
"""Every kind of statement (facts: optout-signals), and what it is."""

Action = Literal["drop", "record", "ignore"]
Verdict = Literal["allow", "deny"]


class Policy(BaseModel):
    """A named set of choices. A manifest names one and may override single fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    version: date
    """When it was last changed."""
    description: str = ""
    agents: str
    """Name of a list of agents (`agents/`)."""
    star: Literal["agent", "fallback", "ignore"] = "agent"
    """What a `*` group means. `agent`: an agent of its own, so a site that shuts out every unnamed crawler has opted
    out whomever it admits by name (Apertus). `fallback`: it speaks to those of the policy's agents that no other group
    names (RFC 9309). `ignore`: to none of them."""
    reading: Reading = "rfc9309"
    """`strict`: what a first-match reader of the older drafts would obey is an opt-out too."""
    on_missing: Verdict = "allow"
    """For an origin of which the snapshot has nothing."""
    on_unreachable: Verdict = "deny"
    """For an origin that gave no answer: 5xx, 408, 425, 429, network failure, a redirect out of the snapshot. Under
    `reading: strict` for its tdmrep.json and ai.txt, too, where their signal is dropped."""
    on_forbidden: Verdict = "allow"
    """For an origin that shows its robots.txt to nobody (401, 403; RFC 9309 section 2.3.1.3: allow)."""
    on_unparsable: Verdict = "deny"
    """For an origin whose answer is no robots.txt at all: HTML, lost bytes, rules beyond any reasonable cost; or whose
    tdmrep.json or ai.txt cannot be read, where their signal is dropped."""
    scheme_fallback: bool = True
    """Ask the other of http and https where an origin has no robots.txt. What is found may deny, it never permits."""
    www_fallback: bool = True
    """Ask with or without `www.` where an origin has no robots.txt. What is found may deny, it never permits."""
    also_at_crawl_time: bool = False
    """An opt-out that stood when the page was crawled counts too, even if the owner has taken it back since."""
    mirrors: Literal["keep", "drop"] = "keep"
    """Documents in one cluster with a page that was opted out: counted, or dropped."""
    signals: Mapping[str, Action]
    """Every kind of `SIGNALS`: `drop` ends the page, `record` keeps it and the statement, `ignore` reads past it."""

    @field_validator("signals")
    @classmethod
    def _all_kinds(cls, signals: Mapping[str, Action]) -> Mapping[str, Action]:
        unknown, missing = sorted(set(signals) - set(SIGNALS)), sorted(set(SIGNALS) - set(signals))
        if unknown:
            raise ValueError(f"unknown signal {', '.join(unknown)}; there are {', '.join(SIGNALS)}")
        if missing:
            raise ValueError(f"a policy says what becomes of every signal; add {', '.join(missing)}")
        return {kind: signals[kind] for kind in SIGNALS}

    def drops(self, signal: str) -> bool:
        """Whether a statement of this kind that denies ends a page."""
        return self.signals[signal] == "drop"


def presets() -> tuple[str, ...]:
    """The names of the policies that come with Lauter."""
    return data_file.preset_names("policies")


def load_policy(name: str) -> Policy:
    """A policy that comes with Lauter. Raises ValueError for an unknown name."""
    return data_file.load_preset(Policy, "policies", name, "opt-out policy")


def load_policy_file(path: str) -> Policy:
    """A user's own policy: YAML with the fields of `Policy`. Raises ValueError if it is not."""
    return data_file.load_own(Policy, path, "opt-out policy")
