"""Only what was declared, and only what is on the list."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.licence import Licence, LicenceConfig
from lauter.stages.licence.lists import PERMISSIVE, identifiers, known, named

REASONS = [None, *(reason.name for reason in Licence.reasons)]


def verdicts(licences: list[list[str] | None], config: LicenceConfig) -> list[tuple[str | None, str | None]]:
    """Reason and licence of each record."""
    batch = pa.RecordBatch.from_pydict({"licences": pa.array(licences, pa.list_(pa.string()))})
    verdict = Licence(config, StageContext()).apply(batch)
    told = verdict.rule.to_pylist() if verdict.rule is not None else []
    assert all((rule is None) == (code == 0) for rule, code in zip(told, verdict.reason, strict=True))
    return list(zip([REASONS[code] for code in verdict.reason], verdict.columns["licence"].to_pylist(), strict=True))


def test_permissive_by_default() -> None:
    said: list[list[str] | None] = [
        ["MIT"], ["MIT", "Apache-2.0 OR GPL-2.0-only"], ["MIT", "GPL-3.0"], None, [], ["NOASSERTION"], ["MIT", "none"],
        ["MIT License"], ["CC0-1.0"], ["x" * 5000],
    ]  # fmt: skip
    found = verdicts(said, LicenceConfig())
    assert found[0] == (None, "MIT")
    assert found[1] == (None, "MIT AND (Apache-2.0 OR GPL-2.0-only)")
    assert [reason for reason, _ in found[2:]] == [
        "licence-not-allowed", "no-licence", "no-licence", "no-licence", "no-licence", "unknown-licence", None,
        "unknown-licence",
    ]  # fmt: skip


def test_a_list_and_names_of_ones_own() -> None:
    config = LicenceConfig(allowed=("gpl-3.0-only", "lead"), names={"GNU GPL v3": "GPL-3.0-only"})
    Licence.check_config(config)
    said: list[list[str] | None] = [["gnu gpl V3 "], ["MIT"], ["WTFPL"]]
    assert [reason for reason, _ in verdicts(said, config)] == [None, "licence-not-allowed", None]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LicenceConfig(allowed=("permisive",)), "'permisive' is no identifier"),
        (LicenceConfig(allowed=("other",)), "'other' is no identifier"),
        (LicenceConfig(names={"MIT License": "MIT Licence"}), "is no SPDX expression"),
        (LicenceConfig(names={"own": "Nobody-1.0"}), "SPDX does not know"),
    ],
)
def test_what_names_no_licence_is_said_before_any_work(config: LicenceConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Licence.check_config(config)


def test_the_list_names_each_licence_once() -> None:
    names = [name for names in identifiers().values() for name in names]
    assert len(names) == len(set(names)) == len(known()) > 700
    permissive = set(named("permissive"))
    assert {"MIT", "Apache-2.0", "BSD-3-Clause", "ISC", "Unlicense"} <= permissive
    assert not any(name.startswith(("GPL", "AGPL", "LGPL", "MPL", "CC-BY-NC", "EUPL")) for name in permissive)
    assert len(permissive) == sum(len(identifiers()[rating]) for rating in PERMISSIVE)


def test_what_may_hold_a_name_is_not_told() -> None:
    said = [["Copyright 2020 Jane Roe <jane@acme.org>"], ["Copyright Jane Roe " * 20], ["Own 1.0"], ["MIT", None]]
    batch = pa.RecordBatch.from_pydict({"licences": pa.array(said, pa.list_(pa.string()))})
    verdict = Licence(LicenceConfig(), StageContext()).apply(batch)
    assert verdict.rule is not None
    assert [rule["text"] for rule in verdict.rule.to_pylist()] == [
        "a text of 39 characters", "a text of 379 characters", "Own 1.0", None,
    ]  # fmt: skip
