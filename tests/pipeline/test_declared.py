"""The blocks `provider:` and `about:`: checked like the rest of a manifest, in the lock, and in no task's key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lauter.pipeline.declared import AboutSection, ProviderSection
from lauter.pipeline.report.write import write_report
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.report.counting import count
from tests.pipeline.small_run import build, digests, write_manifest
from tests.pipeline.small_stages import CATALOGUE

FILES = {"a.txt": "one\talpha beta\ntwo\tgamma delta\n"}


def _declare(path: Path, provider: object, about: object) -> Path:
    data = yaml.safe_load(path.read_text())
    data["provider"] = provider
    data["sources"][0]["about"] = about
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.mark.parametrize(
    ("provider", "about", "message"),
    [
        ({"nam": "x"}, None, "provider.nam: unknown key; did you mean 'name'?"),
        ({"sme": "perhaps"}, None, "provider.sme: input should be a valid boolean"),
        ({"models": []}, None, "provider.models: "),
        (
            {"models": [{"name": "m", "vesion": "1"}]},
            None,
            "provider.models.0.vesion: unknown key; did you mean 'version'",
        ),
        (
            {"models": [{"name": "m", "based_on": [{"name": "b", "sumary": "x"}]}]},
            None,
            "provider.models.0.based_on.0.sumary: unknown key; did you mean 'summary'?",
        ),
        ({"models": [{"name": "m", "placed_on_market": "soon"}]}, None, "'soon' is no date; write 2026-03-01"),
        (
            {"synthetic": {"used": True, "modles": ["m"]}},
            None,
            "provider.synthetic.modles: unknown key; did you mean 'models'",
        ),
        ({"licensed": {}}, None, "provider.licensed.used: field required"),
        (None, {"licens": "MIT"}, "about.licens: unknown key; did you mean 'licence'?"),
        (None, {"category": "crawlt"}, "about.category: input should be 'crawled'"),
        (None, {"collected": {"form": "2020-01-01"}}, "about.collected.form: unknown key; did you mean 'from'?"),
        (None, {"collected": {"from": "2020-02-01", "to": "2020-01-01"}}, "`from` 2020-02-01 is after `to` 2020-01-01"),
        (None, {"crawler": {"naem": "x"}}, "about.crawler.naem: unknown key; did you mean 'name'?"),
        (None, {"title": ""}, "about.title: "),
    ],
)
def test_a_mistake_is_an_error_with_the_nearest_name(
    tmp_path: Path, provider: object, about: object, message: str
) -> None:
    path = _declare(write_manifest(tmp_path, FILES), provider, about)
    with pytest.raises(ManifestError) as caught:
        load(str(path), CATALOGUE)
    assert message in str(caught.value)


def test_dates_may_be_quoted_or_not(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, FILES)
    path.write_text(
        path.read_text()
        + "provider:\n  summary: {updated: 2026-03-01}\n  models: [{name: m, placed_on_market: '2026-03-02'}]\n"
    )
    provider = load(str(path), CATALOGUE).provider
    assert provider == {
        "summary": {"updated": "2026-03-01"},
        "models": [{"name": "m", "placed_on_market": "2026-03-02"}],
    }


def test_a_changed_declaration_runs_no_task_and_rewrites_the_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = write_manifest(tmp_path, FILES)
    first = build(path, out)
    files = digests(out)
    lineage = first.corpus["lineage"]
    assert "provider.name" in _missing(out)

    again = build(_declare(path, {"name": "Somebody"}, {"licence": "CC0-1.0", "category": "crawled"}), out)
    assert (again.report.executed, again.report.failures) == (0, [])
    assert digests(out) == files
    assert again.corpus["lineage"] == lineage, "what is only declared made nothing"
    assert "provider.name" not in _missing(out)
    assert again.corpus["provider"] == {"name": "Somebody"}
    assert again.corpus["sources"]["source-a"]["about"] == {"licence": "CC0-1.0", "category": "crawled"}
    lock = yaml.safe_load((out / "manifest.lock.yaml").read_text())
    assert lock["provider"] == {"name": "Somebody"}
    assert lock["sources"][0]["about"] == {"licence": "CC0-1.0", "category": "crawled"}
    assert "Somebody" in (out / "report/eu-summary.md").read_text()
    assert json.loads((out / "report/data-register.json").read_text())["sources"][0]["licence"] == "CC0-1.0"

    reports = {file: file.read_bytes() for file in [*(out / "report").iterdir(), out / "croissant.json"]}
    corpus = json.loads((out / "corpus.json").read_text())
    write_report(Storage(str(out)), corpus, count(out, corpus))
    assert all(file.read_bytes() == data for file, data in reports.items()), "`lauter report` writes the same bytes"

    build(_declare(path, None, None), out)
    assert "provider.name" in _missing(out)


def test_the_example_in_the_documentation_has_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs/manifest.md").read_text()
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if text.startswith("provider:"))
    data = yaml.safe_load(block)
    provider = ProviderSection.model_validate(data["provider"])
    about = AboutSection.model_validate(data["sources"][0]["about"])
    assert set(provider.model_dump(exclude_none=True)) == set(ProviderSection.model_fields)
    assert set(about.model_dump(exclude_none=True)) == set(AboutSection.model_fields)


def _missing(out: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads((out / "report/eu-summary.json").read_text())["missing"]
