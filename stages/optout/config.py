"""What a manifest may say to the stage: a policy by name, single choices over it, snapshots, and lists of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from lauter.pipeline.contract import FilePath, SnapshotPath, StageConfig
from lauter.stages.optout.agents import AgentList, load_file, load_preset
from lauter.stages.optout.hosts import HostChoice, HostEntry, HostLists, load_hosts
from lauter.stages.optout.policy import SIGNALS, Action, Policy, Verdict, load_policy, load_policy_file
from lauter.stages.optout.robots.rules import Reading
from lauter.stages.optout.snapshot.answer import parse_time

OVERRIDES = (
    "agents",
    "star",
    "reading",
    "on_missing",
    "on_unreachable",
    "on_forbidden",
    "on_unparsable",
    "scheme_fallback",
    "www_fallback",
    "also_at_crawl_time",
    "mirrors",
)
"""Fields of the policy that a manifest may set one by one."""


class OptOutConfig(StageConfig):
    """Whose opt-outs count, by which signals, and what happens where nothing is known."""

    snapshot: tuple[SnapshotPath, ...] = Field(default=(), strict=False)
    """Archived robots.txt, tdmrep.json, ai.txt and RSL documents, read as one. Empty: every origin is missing."""

    policy: str = "default"
    """A policy that comes with Lauter: `default`, `strict`, `apertus-2025-01`. Other fields change single choices."""

    policy_file: FilePath | None = None
    """A policy of your own (YAML, the fields of `policies/default.yaml`); takes the place of `policy`."""

    agents: str | None = None
    """Name of a list of agents that comes with Lauter: `apertus-2025-01` or `ai-training-2026-11`."""

    agents_file: FilePath | None = None
    """A list of your own (YAML with `name` and `agents`); takes the place of `agents`."""

    star: Literal["agent", "fallback", "ignore"] | None = None
    """What a `*` group means: an agent of its own, a word to agents that no group names (RFC 9309), or nothing."""

    reading: Reading | None = None
    """`rfc9309`: the standard. `strict`: what a first-match reader of the older drafts would obey is an opt-out too."""

    signals: Mapping[str, Action] = Field(default_factory=dict)
    """Kind of signal -> `drop`, `record` or `ignore`, for the kinds that the policy should treat in another way."""

    as_of: str | None = None
    """ISO 8601 date (its last second, UTC) or time: later answers are not looked at. None: the newest counts."""

    also_at_crawl_time: bool | None = None
    """An opt-out that stood when the page was crawled counts too, even if the owner has taken it back since."""

    on_missing: Verdict | None = None
    """For an origin of which the snapshot has nothing."""

    on_unreachable: Verdict | None = None
    """For an origin that gave no answer: 5xx, 408, 425, 429, network failure, a redirect out of the snapshot. Under
    `reading: strict` for its tdmrep.json and ai.txt, too, where the policy drops what they say."""

    on_forbidden: Verdict | None = None
    """For an origin that shows its robots.txt to nobody (401, 403). RFC 9309 section 2.3.1.3 and Apertus: `allow`."""

    on_unparsable: Verdict | None = None
    """For an origin whose answer is no robots.txt at all: HTML, lost bytes, rules beyond any reasonable cost; or whose
    tdmrep.json or ai.txt cannot be read, where the policy drops what they say. For an origin that is missing in a
    snapshot which has lost bytes, too, since its answer may have been among them."""

    scheme_fallback: bool | None = None
    """Ask the other of http and https where an origin has no robots.txt. What is found may deny, it never permits."""

    www_fallback: bool | None = None
    """Ask with or without `www.` where an origin has no robots.txt. What is found may deny, it never permits."""

    mirrors: Literal["keep", "drop"] | None = None
    """Documents in one cluster with a page that was opted out: counted in the report, or dropped."""

    deny_hosts: tuple[HostEntry, ...] = Field(default=(), strict=False)
    """Hosts that are refused whatever they say, each with its `host` and `reason`. `example.org` is that host alone,
    `*.example.org` is it and every name below it (`www.example.org` too)."""

    allow_hosts: tuple[HostEntry, ...] = Field(default=(), strict=False)
    """Hosts that are allowed whatever they say (a licence was agreed), each with its `host` and `reason`. `example.org`
    is that host alone, `*.example.org` is it and every name below it (`www.example.org` too). A refusal goes first."""

    hosts_file: FilePath | None = None
    """More of both lists: YAML with `deny` and `allow`."""

    @field_validator("as_of", mode="before")
    @classmethod
    def _valid_time(cls, value: object) -> str | None:
        # YAML makes a date of 2025-01-31.
        if value is None:
            return None
        if parse_time(value) is None or isinstance(value, int | float):
            raise ValueError(f"{value!r} is no ISO 8601 date or time")
        return value if isinstance(value, str) else str(value)

    @field_validator("signals")
    @classmethod
    def _known_kinds(cls, signals: Mapping[str, Action]) -> Mapping[str, Action]:
        unknown = sorted(set(signals) - set(SIGNALS))
        if unknown:
            raise ValueError(f"unknown signal {', '.join(unknown)}; there are {', '.join(SIGNALS)}")
        return signals


def effective_policy(config: OptOutConfig) -> Policy:
    """The policy with the manifest's single choices over it. Raises ValueError for an unknown or unreadable one."""
    policy = load_policy_file(config.policy_file) if config.policy_file else load_policy(config.policy)
    chosen = {name: value for name in OVERRIDES if (value := getattr(config, name)) is not None}
    return policy.model_copy(update={**chosen, "signals": {**policy.signals, **config.signals}})


def effective_agents(config: OptOutConfig, policy: Policy) -> AgentList:
    """The list of agents under a policy. Raises ValueError for an unknown or unreadable one."""
    return load_file(config.agents_file) if config.agents_file else load_preset(policy.agents)


def effective_hosts(config: OptOutConfig) -> HostChoice:
    """The lists of hosts, to ask. Raises ValueError for an entry that is no host, or an unreadable file."""
    lists = host_lists(config)
    return HostChoice(lists.deny, lists.allow)


def host_lists(config: OptOutConfig) -> HostLists:
    """Both lists, of the manifest and of its file. Raises ValueError for a file that cannot be read."""
    more = load_hosts(config.hosts_file) if config.hosts_file else HostLists()
    return HostLists(deny=(*config.deny_hosts, *more.deny), allow=(*config.allow_hosts, *more.allow))
