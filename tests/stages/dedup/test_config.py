"""What a manifest may say of `dedup`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lauter.pipeline.comparing import Limits, Preference
from lauter.pipeline.faults import faults
from lauter.stages.dedup.config import DedupConfig
from lauter.stages.dedup.stage import Dedup


def read(given: dict[str, object]) -> DedupConfig:
    """As the engine does: what the manifest gave, through the lock file and back."""
    config = DedupConfig.model_validate(given)
    assert DedupConfig.model_validate(config.model_dump(mode="json", exclude_unset=True)) == config
    return config


def test_defaults_are_fineweb_by_source_and_date() -> None:
    config = read({})
    assert config.exact == ("text",)
    assert config.minhash is not None
    assert (config.minhash.bands, config.minhash.rows, config.minhash.threshold) == (14, 8, 0.8)
    assert Dedup.prefers(config) == (Preference("priority", "ascending"), Preference("fetched_at", "ascending"))
    assert Dedup.limits(config) == Limits((0.0, 1.0), 1.0, 10_000_000)


def test_everything_as_a_manifest_gives_it() -> None:
    config = read(
        {
            "exact": ["url", "payload", "text"],
            "minhash": {"bands": 20, "rows": 5, "threshold": 0.75},
            "per_language": True,
            "per_source": True,
            "method": "smaller-neighbour",
            "against": ["/corpora/2025"],
            "prefer": [{"score": "language_score", "best": "highest"}, "newest", "longest", "source"],
            "removed": [0.05, 0.7],
            "largest_cluster": 0.01,
            "largest_cluster_documents": 500,
        }
    )
    assert [tuple(preference) for preference in Dedup.prefers(config)] == [
        ("language_score", "descending"),
        ("fetched_at", "descending"),
        ("chars", "descending"),
        ("priority", "ascending"),
    ]
    assert Dedup.limits(config) == Limits((0.05, 0.7), 0.01, 500)
    assert Dedup.method(config) == "smaller-neighbour"
    assert read({"prefer": [{"score": "toxicity", "best": "lowest"}]}).preferences() == (
        Preference("toxicity", "ascending"),
    )
    assert read({"prefer": []}).preferences() == ()
    assert read({"exact": [], "removed": [0, 1]}).exact == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"exact": [], "minhash": None}, "set `exact` or `minhash`"),
        ({"exact": True}, "expected a list"),
        ({"exact": ["txt"]}, "'text', 'url' or 'payload'"),
        ({"minhash": {"bands": 0}}, "greater than or equal to 1"),
        ({"minhash": {"band": 14}}, "did you mean 'bands'?"),
        ({"minhash": {"threshold": 0.0}}, "greater than 0"),
        ({"prefer": ["old"]}, "'source', 'oldest', 'newest' or 'longest'"),
        ({"prefer": ["oldest", "newest"]}, "'fetched_at' twice"),
        ({"prefer": [{"score": "toxicity", "best": "least"}]}, "'highest' or 'lowest'"),
        ({"prefer": [{"score": "toxicity"}]}, "field required"),
        ({"removed": [0.5, 0.1]}, "[least, most]"),
        ({"removed": [0.5, 1.5]}, "less than or equal to 1"),
        ({"removed": [0.5]}, "field required"),
        ({"removed": ["0.1", 0.5]}, "valid number"),
        ({"method": "components of a graph"}, "'components' or 'smaller-neighbour'"),
        ({"largest_cluster": 2.0}, "less than or equal to 1"),
    ],
)
def test_a_wrong_parameter_is_refused_with_words(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DedupConfig.model_validate(given)
    assert told in "; ".join(message for _, message in faults(DedupConfig, caught.value))


def test_another_choice_signs_nothing_again() -> None:
    """The engine leaves them out of the key of signatures, so `sign` and the comparisons must not read them."""
    assert Dedup.decision_fields <= set(DedupConfig.model_fields)
    assert Dedup.decision_fields.isdisjoint({"exact", "minhash", "per_language", "per_source"})
