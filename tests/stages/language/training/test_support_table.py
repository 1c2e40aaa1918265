from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lauter.stages.language.labels import support
from lauter.stages.language.training.material import Material, read_material
from lauter.stages.language.training.support_table import Scored, figures, write_table
from tests.stages.language.training.examples import recipe, write_data

DEU, FRA, RUS = "deu_Latn", "fra_Latn", "rus_Cyrl"


def scored(*lines: tuple[str, str, float, int], name: str = "test", is_running: bool = True, fits: int = 1) -> Scored:
    """A test of (label, answer, probability, how often)."""
    each = [(gold, answer, value) for gold, answer, value, count in lines for _ in range(count)]
    return Scored(
        name, is_running, fits, [gold for gold, _, _ in each], [answer for _, answer, _ in each],
        np.array([value for _, _, value in each]),
    )  # fmt: skip


@pytest.fixture
def material(tmp_path: Path) -> Material:
    """Of which German has counts of running text, and all have some twenty words."""
    found = read_material(write_data(tmp_path / "data"), recipe())
    return found._replace(evidence=({"unilex": 900}, *found.evidence[1:]))


def table(tmp_path: Path, material: Material, *tests: Scored) -> dict[str, dict[str, str]]:
    write_table(tmp_path / "labels.tsv", material, tests)
    head, *rows = [line.split("\t") for line in (tmp_path / "labels.tsv").read_text("utf-8").splitlines()]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def test_a_label_is_well_supported_with_the_least_threshold_that_keeps_its_precision(
    tmp_path: Path, material: Material
) -> None:
    found = table(tmp_path, material, scored((DEU, DEU, 0.9, 40), (FRA, DEU, 0.62, 6), (FRA, FRA, 0.9, 34)))
    assert (found[DEU]["level"], found[DEU]["scored"], found[DEU]["threshold"]) == ("well", "running-text", "0.65")
    assert found[DEU]["f1_test"] == f"{80 / 86:.3f}" and found[DEU]["n_test"] == "40"
    assert found[DEU]["tier"] == "A"


def test_thin_evidence_is_never_well_supported_and_needs_more(tmp_path: Path, material: Material) -> None:
    found = table(tmp_path, material, scored((DEU, DEU, 0.9, 40), (FRA, FRA, 0.9, 40)))
    assert (found[DEU]["level"], found[DEU]["threshold"]) == ("well", "0.50")
    assert (found[FRA]["tier"], found[FRA]["level"], found[FRA]["threshold"]) == ("D", "weak", "0.90")


def test_a_label_that_is_answered_wrongly_at_every_probability_is_weak(tmp_path: Path, material: Material) -> None:
    test = scored((DEU, DEU, 0.99, 20), (RUS, DEU, 0.99, 20), (RUS, RUS, 0.99, 20), fits=0)
    found = table(tmp_path, material, test)
    assert (found[DEU]["level"], found[DEU]["threshold"]) == ("weak", "0.95")
    found = table(tmp_path, material._replace(favoured=frozenset([DEU])), test)
    assert (found[DEU]["level"], found[DEU]["threshold"]) == ("weak", "0.50")


def test_a_document_needs_less_where_there_is_much_text_and_more_where_evidence_is_thin(
    tmp_path: Path, material: Material
) -> None:
    test = scored((DEU, DEU, 0.9, 40), (FRA, FRA, 0.9, 40), (RUS, RUS, 0.9, 40))
    evidence = ({"unilex": 900}, {"wordfreq": 900}, {"wordfreq": 900}, *material.evidence[3:])
    found = table(tmp_path, material._replace(evidence=evidence, favoured=frozenset([RUS])), test)
    assert [found[label]["document"] for label in (DEU, FRA, RUS)] == ["0.93", "0.60", "0.50"]
    evidence = ({"unilex": 900}, {"list": 20}, {"wordfreq": 900}, *material.evidence[3:])
    words = scored((RUS, RUS, 0.9, 40), name="words", is_running=False)
    found = table(
        tmp_path, material._replace(evidence=evidence), scored((DEU, DEU, 0.9, 40), (FRA, FRA, 0.9, 40)), words
    )
    assert [found[label]["document"] for label in (DEU, FRA, RUS)] == ["0.93", "0.97", "0.97"]


def test_sisters_of_a_weak_label_count_as_right_for_its_threshold(tmp_path: Path, material: Material) -> None:
    found = table(tmp_path, material, scored((DEU, DEU, 0.99, 20), (FRA, DEU, 0.99, 20), (FRA, FRA, 0.99, 20)))
    assert found[DEU]["cluster"] == found[FRA]["cluster"] != ""
    assert (found[DEU]["level"], found[DEU]["threshold"]) == ("weak", "0.50")


def test_a_threshold_must_keep_its_precision_on_each_half_of_the_lines(tmp_path: Path, material: Material) -> None:
    lines = [(DEU, DEU, 0.9, 1), (FRA, DEU, 0.9, 1)] * 20
    found = table(tmp_path, material, scored(*lines))
    assert found[DEU]["level"] == "weak"


def test_word_types_alone_and_nothing_at_all(tmp_path: Path, material: Material) -> None:
    found = table(tmp_path, material, scored((DEU, DEU, 0.9, 20), name="words", is_running=False))
    assert (found[DEU]["level"], found[DEU]["scored"], found[DEU]["threshold"]) == ("words", "word-types", "0.90")
    assert (found[RUS]["level"], found[RUS]["scored"], found[RUS]["n_words"]) == ("untested", "none", "")


def test_the_table_is_one_that_the_product_reads(tmp_path: Path, material: Material) -> None:
    table(tmp_path, material, scored((DEU, DEU, 0.9, 20)))
    assert list(support.read(tmp_path / "labels.tsv")) == list(material.labels)


def test_clusters_are_made_from_every_other_line_and_the_rest_is_scored(tmp_path: Path, material: Material) -> None:
    hrv, bos = "hrv_Latn", "bos_Latn"
    test = scored(*[(hrv, bos, 0.5, 1), (hrv, hrv, 0.5, 1)] * 10, (bos, bos, 0.5, 20), (FRA, FRA, 0.9, 20), fits=2)
    clusters = write_table(tmp_path / "labels.tsv", material, [test])
    assert clusters == {hrv: "hbs_Latn", bos: "hbs_Latn"}
    told = figures(test, clusters)
    assert (told["lines"], told["labels"], told["accuracy"]) == (60, 3, round(50 / 60, 4))
    assert (told["rolled_up_labels"], told["rolled_up_macro_f1"]) == (2, 1.0)
    assert told["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 1) / 3, abs=1e-4)
    assert not write_table(tmp_path / "labels.tsv", material, [test._replace(fits=0)])


def test_figures_have_the_calibration_error(material: Material) -> None:
    told = figures(scored((DEU, DEU, 0.75, 15), (DEU, FRA, 0.75, 5), (FRA, FRA, 1.0, 5)), {})
    assert told["calibration_error"] == 0
