"""The table of the embedded model: as many languages as are promised, each scored, each with a name."""

from __future__ import annotations

from lauter.stages.language.labels import LABEL
from lauter.stages.language.labels.registry import LIVE, describe, languages, script_names
from lauter.stages.language.labels.support import embedded
from lauter.stages.language.load import EMBEDDED, load


def test_the_model_and_its_table_have_the_same_labels() -> None:
    model = [label.removeprefix("__label__") for label in load(EMBEDDED).model_labels]
    assert len(set(model)) == len(model)
    assert set(model) == set(embedded())


def test_1900_labels_and_1800_codes_of_iso_639_3() -> None:
    labels = [label for label in embedded() if label != "zxx_Zzzz"]
    assert len(labels) >= 1900
    assert all(LABEL.fullmatch(label) for label in labels)
    codes = {label[:3] for label in labels}
    assert len(codes) >= 1800
    # No retired code, no collection: each is a language or macrolanguage of ISO 639-3 as it is.
    assert [code for code in sorted(codes) if code not in languages() or languages()[code].scope not in LIVE] == []


def test_every_label_is_scored_on_material_that_was_kept_out() -> None:
    for label, row in embedded().items():
        assert row.level != "untested", label
        assert row.scored in {"running-text", "word-types"}, label
        assert any(name.startswith("f1_") for name in row.figures), label
        assert (row.level == "words") <= (row.scored == "word-types"), label


def test_every_label_has_a_name_and_nearly_all_a_family() -> None:
    assert {label[4:] for label in embedded()} <= set(script_names())
    described = [describe(label) for label in embedded()]
    assert sum(not words.family for words in described) < 10


def test_clusters_are_of_two_labels_or_more_in_one_script() -> None:
    clusters: dict[str, list[str]] = {}
    for label, row in embedded().items():
        if row.cluster:
            clusters.setdefault(row.cluster, []).append(label)
    for name, labels in clusters.items():
        assert len(labels) > 1, name
        assert len({label[4:] for label in labels}) == 1, (name, labels)
