"""The config: what it takes, what it refuses and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.pipeline.yaml_lines import ManifestError
from lauter.trainer.config.load import load, schedule_given
from lauter.trainer.config.sections import ScheduleSection

TEXT = """\
name: toy
model: {preset: nano}
data:
  corpora:
    - path: corpora/one
    - path: /elsewhere/two
  stages:
    - {name: first, tokens: 1000}
    - name: rest
schedule:
  total_tokens: 1_000_000
  warmup_tokens: 1000
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(TEXT)
    return path


def refused(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ManifestError) as error:
        load(str(path), overrides)
    return error.value.problems


def test_paths_are_taken_from_the_folder_of_the_file(config: Path) -> None:
    section = load(str(config))
    assert [corpus.path for corpus in section.data.corpora] == [str(config.parent / "corpora/one"), "/elsewhere/two"]
    assert section.seed == 28
    assert section.optimizer.alpha == 8.0


def test_a_corpus_on_s3_keeps_its_address(config: Path) -> None:
    config.write_text(TEXT.replace("corpora/one", "s3://bucket/one"))
    assert load(str(config)).data.corpora[0].path == "s3://bucket/one"
    assert load(str(config), data=["s3://bucket/two"]).data.corpora[0].path == "s3://bucket/two"


def test_data_of_the_command_line_takes_the_place_of_the_corpora(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    section = load(str(config), data=["here"])
    assert [corpus.path for corpus in section.data.corpora] == [str(tmp_path / "here")]


def test_overrides_reach_into_mappings_lists_and_sections_that_are_not_there(config: Path) -> None:
    section = load(
        str(config),
        [
            "optimizer.name=adamw",
            "data.stages.0.tokens=5",
            "model.layers=3",
            "data.goldfish={k: 4}",
            "schedule.shape=linear",
        ],
    )
    assert section.optimizer.name == "adamw"
    assert section.data.stages[0].tokens == 5
    assert section.model.layers == 3
    assert section.data.goldfish is not None
    assert (section.data.goldfish.k, section.data.goldfish.h) == (4, 50)
    assert section.schedule.shape == "linear"


def test_keys_of_the_schedule_that_are_given_are_known() -> None:
    assert schedule_given(["seed=1", "schedule.shape=linear", "schedule.total_tokens=9", "schedule.shape=1-sqrt"]) == (
        "shape",
        "total_tokens",
    )
    assert set(schedule_given(["schedule={total_tokens: 5}"])) == set(ScheduleSection.model_fields)


def test_a_number_with_an_exponent_is_a_number(config: Path) -> None:
    # YAML 1.1 takes 1e-4, without a point, for a string.
    assert load(str(config), ["optimizer.learning_rate=1e-4"]).optimizer.learning_rate == 1e-4
    config.write_text(TEXT + "optimizer: {learning_rate: 3e-4}\n")
    assert load(str(config), ["schedule.total_tokens=15e12"]).schedule.total_tokens == 15_000_000_000_000
    assert load(str(config)).optimizer.learning_rate == 3e-4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lerning_rate=1", "override 'optimizer.lerning_rate=1': unknown key; did you mean 'learning_rate'?"),
        ("batch.micro=none", "override 'batch.micro=none': input should be a valid integer"),
        ("batch.micro", "override 'batch.micro': expected dotted.key=value"),
        ("data.stages.7.tokens=1", "override 'data.stages.7.tokens=1': the list has items 0 to 1, not 7"),
        ("goldfish.k=4", "override 'goldfish.k=4': unknown key; did you mean 'data.goldfish.k'?"),
        ("z_los=1", "override 'z_los=1': unknown key; did you mean 'z_loss'?"),
        (
            "sequences=8",
            "override 'sequences=8': unknown key; did you mean 'batch.sequences' or 'validation.sequences'?",
        ),
        (
            "schedule.total_tokens=900",
            "override 'schedule.total_tokens=900': schedule: warmup_tokens (1000) and cooldown_tokens (0) are together "
            "more than total_tokens (900); lower them by 100 in all, or raise it to 1000",
        ),
        (
            "batch.ramp.0.sequences=2",
            "override 'batch.ramp.0.sequences=2': the config has no batch.ramp; give them whole: "
            "'batch.ramp=[{from_tokens: 1e6, sequences: 32}]'",
        ),
        ("name.first=1", "override 'name.first=1': 'first' lies inside a plain value"),
        ("seed=[1", "override 'seed=[1': the value is no valid YAML"),
    ],
)
def test_a_wrong_override_is_named(config: Path, override: str, message: str) -> None:
    assert refused(config, override) == [message]


def test_all_overrides_that_a_contradiction_is_about_are_named_and_no_others(config: Path) -> None:
    (problem,) = refused(config, "schedule.warmup_tokens=3e6", "seed=3", "schedule.cooldown_tokens=2e6", "z_loss=1")
    said = "overrides 'schedule.warmup_tokens=3e6', 'schedule.cooldown_tokens=2e6': schedule: warmup_tokens (3000000)"
    assert problem.startswith(said)
    (problem,) = refused(config, "seed=3", "validation={every_steps: 1}")
    assert problem.startswith("override 'validation={every_steps: 1}': validation needs")


def test_what_a_cooldown_puts_in_later_need_not_fit_yet(config: Path) -> None:
    assert load(str(config), ["schedule.total_tokens=900"], cools_down=True).schedule.total_tokens == 900


def test_a_root_is_64_hex_digits(config: Path) -> None:
    assert refused(config, "data.corpora.0.root=abc") == ["override 'data.corpora.0.root=abc': expected 64 hex digits"]
    assert load(str(config), [f"data.corpora.0.root={'A' * 64}"]).data.corpora[0].root == "a" * 64


def test_an_item_of_stages_that_are_not_there(config: Path) -> None:
    (problem,) = refused(config, "data.stages=[]", "data.stages.0.tokens=5")
    assert problem == (
        "override 'data.stages.0.tokens=5': the config has no data.stages; give them whole: "
        "'data.stages=[{name: first, tokens: 1e6}, {name: rest}]'"
    )


def test_a_wrong_key_is_told_with_its_line(config: Path) -> None:
    config.write_text(TEXT.replace("total_tokens", "totl_tokens"))
    problems = refused(config)
    assert problems[0] == f"{config}:11: schedule.totl_tokens: unknown key; did you mean 'total_tokens'?"
    assert problems[1].endswith("schedule.total_tokens: field required")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedule.cooldown_tokens=2_000_000", "together more than total_tokens"),
        ("validation={every_steps: 1}", "validation needs `data.hold_out_shards`"),
        ("batch.ramp=[{from_tokens: 9, sequences: 2}, {from_tokens: 3, sequences: 4}]", "must ascend"),
        ("data.stages=[{name: a}, {name: b}]", "stage 'a' needs `tokens`"),
    ],
)
def test_what_contradicts_itself_is_refused(config: Path, override: str, message: str) -> None:
    (problem,) = refused(config, override)
    assert message in problem


def test_sampling_is_refused_where_ranks_share_the_tokens_or_the_layers(config: Path) -> None:
    (problem,) = refused(config, "sampling={prompts: [a]}", "parallel={tensor: 2, pipeline: 2}")
    assert "which parallel.pipeline, parallel.tensor above 1 share" in problem


def test_a_config_without_a_corpus_names_both_ways_to_give_one(config: Path) -> None:
    (problem,) = refused(config, "data.corpora=[]")
    assert "data.corpora" in problem
    assert "--data DIR" in problem


def test_no_mapping_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "expected a mapping" in refused(tmp_path / "list.yaml")[0]
    assert refused(tmp_path / "absent.yaml") == [f"{tmp_path}/absent.yaml cannot be read: there is no such file"]
    assert refused(tmp_path) == [f"{tmp_path} cannot be read: it is a folder; name the YAML file in it"]


MIXTURE = """\
mixture: calm
tokens: 3000
components:
  - {name: web, streams: ["web*"], epochs: 2}
  - {name: rest, streams: ["*"], weight: 7}
"""


def test_a_mixture_is_read_into_the_config(config: Path) -> None:
    (config.parent / "calm.yaml").write_text(MIXTURE.replace(", weight: 7", ""))
    mixed = "data.stages=[{name: a, mixture: calm.yaml}, {name: b, tokens: 5, mixture: calm.yaml}, {name: c}]"
    stages = load(str(config), [mixed]).data.stages
    # The stage's own length comes before the mixture's.
    assert [stage.tokens for stage in stages] == [3000, 5, None]
    assert stages[0].mixture is not None
    assert stages[0].mixture.components[0].streams == ("web*",)
    last = load(str(config), ["data.stages=[{name: a, mixture: calm.yaml}]"]).data.stages
    assert last[0].tokens is None  # The last stage takes the rest of the run.


def test_a_wrong_mixture_is_told_with_its_own_line(config: Path) -> None:
    (config.parent / "calm.yaml").write_text(MIXTURE)
    (problem,) = refused(config, "data.stages=[{name: a, mixture: calm.yaml}]")
    assert "calm.yaml:1: component 'web' has no `weight`" in problem
    (problem,) = refused(config, "data.stages=[{name: a, mixture: storm.yaml}]")
    assert "storm.yaml" in problem
    (problem,) = refused(
        config, "data.stages=[{name: a, streams: {x: 1}, mixture: {mixture: m, components: [{name: x, streams: [x]}]}}]"
    )
    assert "stage 'a' has `streams` and `mixture`" in problem
