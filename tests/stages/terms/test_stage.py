"""A record is used only where the terms of all models that wrote it allow it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.terms.stage import Terms, TermsConfig
from lauter.stages.terms.table import EMBEDDED, read_table


def reasons(names: list[str | None], **config: object) -> list[str | None]:
    stage = Terms(TermsConfig.model_validate(config), StageContext())
    verdict = stage.apply(pa.record_batch({"generator": pa.array(names, pa.string())}))
    assert verdict.columns["generator"].to_pylist() == names
    return [stage.reasons[code - 1].name if code else None for code in verdict.reason.tolist()]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("human", None),
        ("Mistralai/Mixtral-8x7B-Instruct-v0.1", None),
        ("allenai/OLMo-2-32B", None),
        ("gpt-4o-2024-08-06", "generator-terms"),
        ("gpt-oss-120b", None),
        ("meta-llama/Llama-3.1-70B-Instruct", "generator-terms"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "generator-terms"),
        ("DeepSeek-R1", None),
        ("Qwen2.5-72B-Instruct", "generator-terms"),
        ("Qwen2.5-14B", None),
        ("Qwen/Qwen2.5-Math-72B-Instruct", "generator-terms"),
        ("Qwen2.5-Coder-3B", "generator-terms"),
        ("Qwen2.5-Coder-32B-Instruct", None),
        ("Qwen3-Max", "generator-terms"),
        ("Mistral-Small-Instruct-2409", "generator-terms"),
        ("Mistral-Small-24B-Instruct-2501", None),
        ("DeepSeek-V3", "generator-terms"),
        ("deepseek-ai/DeepSeek-V3-0324", None),
        ("EleutherAI/gpt-neox-20b", None),
        ("human, gpt-4", "generator-terms"),
        ("human, nobody-knows", "generator-unknown"),
        ("nobody-knows", "generator-unknown"),
        ("notgpt-4", "generator-unknown"),
        ("", "generator-undeclared"),
        (" , ", "generator-undeclared"),
        (None, "generator-undeclared"),
    ],
)
def test_the_table_decides(name: str | None, expected: str | None) -> None:
    assert reasons([name]) == [expected]


def test_a_manifest_has_the_first_word() -> None:
    assert reasons(["gpt-4", "new-one"], models={"gpt-4": "allow", "new-*": "deny"}) == [None, "generator-terms"]
    assert reasons(["new-one", None], unknown="keep", undeclared="keep") == [None, None]


def test_evidence_names_model_line_and_why() -> None:
    stage = Terms(TermsConfig(), StageContext())
    rule = stage.apply(pa.record_batch({"generator": pa.array(["openai/gpt-4"])})).rule
    assert rule is not None
    told = rule[0].as_py()
    assert (told["agent"], told["signal"]) == ("openai/gpt-4", "gpt-*")
    assert told["text"].startswith("OpenAI terms")


def test_files_are_checked(tmp_path: Path) -> None:
    assert {line.terms for line in read_table(EMBEDDED)} == {"allow", "deny"}
    (tmp_path / "own.yaml").write_text("generators: [{name: ours, terms: allow}]")
    assert reasons(["ours", "human"], generators=str(tmp_path / "own.yaml")) == [None, "generator-unknown"]
    for content, message in (("generators: [{name: x, terms: perhaps}]", r"generators.0.terms"), ("[", "YAML")):
        (tmp_path / "bad.yaml").write_text(content)
        read_table.cache_clear()
        with pytest.raises(ValueError, match=message):
            Terms.check_config(TermsConfig(generators=str(tmp_path / "bad.yaml")))
