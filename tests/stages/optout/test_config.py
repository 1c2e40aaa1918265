"""Policies, lists of agents and lists of hosts: data that is checked, and single choices over it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from lauter.stages.optout.agents import Agent, load_file, load_preset
from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_hosts, effective_policy
from lauter.stages.optout.hosts import HostChoice, HostEntry, Listed, load_hosts
from lauter.stages.optout.policy import SIGNALS, load_policy, load_policy_file, presets
from lauter.stages.optout.robots.rules import agent_token


def test_every_preset_chooses_for_every_signal() -> None:
    assert presets() == ("apertus-2025-01", "default", "strict")
    for name in presets():
        policy = load_policy(name)
        assert policy.name == name
        assert list(policy.signals) == list(SIGNALS)
        assert load_preset(policy.agents).names


def test_strict_drops_whatever_default_drops() -> None:
    default, strict = load_policy("default"), load_policy("strict")
    assert {kind for kind in SIGNALS if default.drops(kind)} < {kind for kind in SIGNALS if strict.drops(kind)}
    assert load_policy("apertus-2025-01").signals == dict.fromkeys(SIGNALS, "ignore") | {"robots.txt": "drop"}


def test_single_choices_go_over_the_policy() -> None:
    config = OptOutConfig.model_validate(
        {"policy": "strict", "on_missing": "deny", "signals": {"words": "record"}, "agents": "apertus-2025-01"}
    )
    policy = effective_policy(config)
    assert (policy.on_missing, policy.mirrors, policy.signals["words"]) == ("deny", "drop", "record")
    assert policy.signals["noindex"] == "drop"
    assert len(effective_agents(config, policy).agents) == 15


@pytest.mark.parametrize(
    ("config", "said"),
    [({"policy": "nobody"}, "apertus-2025-01, default, strict"), ({"agents": "nobody"}, "ai-training-2026-11")],
)
def test_an_unknown_name_says_what_there_is(config: dict[str, str], said: str) -> None:
    checked = OptOutConfig.model_validate(config)
    with pytest.raises(ValueError, match=said):
        effective_agents(checked, effective_policy(checked))


def test_an_unknown_signal_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"there are robots\.txt"):
        OptOutConfig.model_validate({"signals": {"robots": "drop"}})


def test_files_of_ones_own(tmp_path: Path) -> None:
    policy = load_policy("default").model_dump(mode="json") | {"name": "mine", "mirrors": "drop"}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    assert load_policy_file(str(tmp_path / "policy.yaml")).mirrors == "drop"
    del policy["signals"]["noai"]
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    with pytest.raises(ValueError, match=r"policy\.yaml:\d+: signals: .* add noai"):
        load_policy_file(str(tmp_path / "policy.yaml"))
    (tmp_path / "agents.yaml").write_text("name: mine\nagents: [GPTBot, {name: MyBot, operator: Me, since: 2024-05}]\n")
    assert load_file(str(tmp_path / "agents.yaml")).names == ("GPTBot", "MyBot")
    (tmp_path / "hosts.yaml").write_text("deny:\n- {host: a.example}\n")
    with pytest.raises(ValueError, match=r"hosts\.yaml"):
        load_hosts(str(tmp_path / "hosts.yaml"))


@pytest.mark.parametrize(
    "name",
    [
        *("*", "GPTBot", "a_b", "AI2Bot", "360Spider", "archive.org_bot", "CCBot/2.0", "CCBot/v2", "Kangaroo Bot"),
        "Mozilla/5.0 (compatible; GPTBot/1.1)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    ],
)
def test_a_name_that_a_robots_txt_may_have(name: str) -> None:
    assert Agent(name=name).name == name
    assert agent_token(name) == "*" or re.fullmatch(r"[a-z0-9._-]+", agent_token(name))


@pytest.mark.parametrize(
    "name",
    [
        *("GPTBot,", "GPTBot, CCBot", "GPTBot,CCBot", "GPTBot , CCBot", "GPTBot; CCBot", "GPTBot|CCBot"),
        *("GPTBot/CCBot", "GPTBot/1.0, CCBot", "GPT*", "**", "Bücherbot", "GPTBot:", "/GPTBot", " ", "-", "GPTBot - X"),
        "Mozilla/5.0 (compatible; GPTBot, CCBot)",
    ],
)
def test_a_name_that_no_robots_txt_could_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="no product token"):
        Agent(name=name)


def test_a_host_is_found_by_its_most_exact_entry() -> None:
    deny = [HostEntry(host="Shut.Example", reason="court"), HostEntry(host="*.bücher.example", reason="letter")]
    allow = [HostEntry(host="*.example", reason="contract"), HostEntry(host="www.example", reason="own")]
    choice = HostChoice(deny, allow)
    assert choice.find("https://shut.example") == Listed(allow=False, reason="court")
    assert choice.find("http://shut.example:8080") == Listed(allow=False, reason="court")
    assert choice.find("https://a.shut.example") == Listed(allow=True, reason="contract")
    assert choice.find("https://xn--bcher-kva.example") == Listed(allow=False, reason="letter")
    assert choice.find("https://a.b.xn--bcher-kva.example") == Listed(allow=False, reason="letter")
    assert choice.find("https://www.example") == Listed(allow=True, reason="own")
    assert choice.find("https://example.org") is None
    assert choice.find("https://[::1]") is None
    assert bool(choice) and not HostChoice([], [])
    assert not effective_hosts(OptOutConfig())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "name: x\nagents: [GPTBot, {nam: CCBot}]\n",
            r"own\.yaml:2: agents\.1\.nam: unknown key; .*agents\.1\.name: is missing",
        ),
        ("name: x\nagents:\n- A\nagent: [B]\n", r"own\.yaml:4: agent: unknown key, valid are name, version"),
        ("name: x\nagents: [A]\nname: y\n", r"own\.yaml:3: name stands in line 1 already"),
        (
            "name: x\nagents:\n- GPTBot\n- 'GPTBot, CCBot'\n",
            r"own\.yaml:4: agents\.1\.name: 'GPTBot, CCBot' is no product token \(RFC .* one entry for each agent$",
        ),
        ("name: x\nagents: GPTBot\n", r"own\.yaml:2: agents: expected a list"),
        ("name: x\nagents: [A\n", r"own\.yaml:3: no valid YAML"),
        ("", r"own\.yaml:1: name: is missing"),
        ("GPTBot", r"own\.yaml:1: expected a mapping"),
    ],
)
def test_a_file_of_ones_own_is_told_by_line_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        load_file(str(path))
    path.write_bytes(b"name: \xff")
    with pytest.raises(ValueError, match=r"own\.yaml:1: no list of agents"):
        load_file(str(path))


NO_HOSTS = ("https://a.example", "a.example/x", "a*.example", "*", "a b.example", "*.*.example", "[::1]:80")


@pytest.mark.parametrize("host", [*NO_HOSTS, "a.example:8080", "a.example?x", "me@a.example"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        HostChoice([HostEntry(host=host, reason="x")], [])
