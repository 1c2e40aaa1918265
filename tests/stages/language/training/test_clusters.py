from __future__ import annotations

from lauter.stages.language.training.clusters import find_clusters


def pairs(*confusions: tuple[str, str, int]) -> list[tuple[str, str]]:
    return [(gold, answer) for gold, answer, count in confusions for _ in range(count)]


def test_members_of_a_macrolanguage_are_sisters_without_confusions() -> None:
    apart = pairs(("quy_Latn", "quy_Latn", 40), ("quz_Latn", "quz_Latn", 40), ("deu_Latn", "deu_Latn", 9))
    assert find_clusters(apart) == {"quy_Latn": "que_Latn", "quz_Latn": "que_Latn"}
    assert not find_clusters(pairs(("quy_Latn", "quy_Latn", 40), ("deu_Latn", "deu_Latn", 9)))
    assert not find_clusters(pairs(("arb_Arab", "arb_Arab", 40), ("arb_Latn", "arb_Latn", 40)))


def test_members_of_a_family_need_many() -> None:
    few = pairs(("bam_Latn", "bam_Latn", 18), ("bam_Latn", "dyu_Latn", 2), ("dyu_Latn", "dyu_Latn", 30))
    assert not find_clusters(few)
    many = pairs(("bam_Latn", "bam_Latn", 10), ("bam_Latn", "dyu_Latn", 10), ("dyu_Latn", "dyu_Latn", 30))
    assert find_clusters(many) == {"bam_Latn": "dyu_Latn", "dyu_Latn": "dyu_Latn"}


def test_strangers_and_other_scripts_are_never_sisters() -> None:
    assert not find_clusters(pairs(("deu_Latn", "fin_Latn", 10), ("fin_Latn", "fin_Latn", 10)))
    assert not find_clusters(pairs(("srp_Cyrl", "hrv_Latn", 10), ("hrv_Latn", "hrv_Latn", 10)))
    assert not find_clusters(pairs(("zxx_Zzzz", "deu_Latn", 10), ("deu_Latn", "deu_Latn", 10)))


def test_sisters_of_sisters_are_in_one_cluster() -> None:
    found = find_clusters(
        pairs(
            ("bos_Latn", "hrv_Latn", 5),
            ("hrv_Latn", "srp_Latn", 5),
            ("srp_Latn", "srp_Latn", 9),
            ("deu_Latn", "deu_Latn", 9),
        )
    )
    assert found == dict.fromkeys(("bos_Latn", "hrv_Latn", "srp_Latn"), "hbs_Latn")
