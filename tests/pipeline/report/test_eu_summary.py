"""The public summary of a ledger made by hand: every measured value exactly, every undeclared one by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.declared import AboutSection, ProviderSection, plain
from lauter.pipeline.report.domains import write_domains
from lauter.pipeline.report.eu_fields import OFFICIAL, TITLES, band
from lauter.pipeline.report.eu_summary import eu_summary
from lauter.pipeline.report.markdown import summary_page
from lauter.pipeline.storage import Storage
from tests.pipeline.report.counting import count
from tests.pipeline.report.hand_made import ROWS, Row, corpus

PROVIDER = {
    "summary": {"version": "2", "updated": "2026-11-01", "previous": ["https://example.org/v1"]},
    "name": "Example Institute",
    "contact": "1 Road, Town; mail@example.org",
    "representative": {"name": "R", "contact": "r@example.org"},
    "sme": True,
    "models": [
        {"name": "M", "version": "1.5", "placed_on_market": "2026-10-01", "based_on": []},
        {"name": "N", "version": "1", "placed_on_market": "2026-10-02", "based_on": [{"name": "M"}]},
    ],
    "other_modalities": "none",
    "content_types": "web pages and books",
    "characteristics": "mostly Swiss",
    "continuous_training": False,
    "public_datasets": "small ones",
    "licensed": {"used": False},
    "third_party": {"used": False},
    "crawled": {"used": True, "modalities": ["text"], "description": "news"},
    "user_data_of_model": {"used": False},
    "user_data_of_services": {"used": False},
    "synthetic": {"used": False},
    "other_data": {"used": False},
    "code_of_practice": True,
    "reservations": "none further",
    "copyright_policy": "https://example.org/copyright",
    "rightsholder_contact": "rights@example.org",
    "illegal_content": "none further",
    "other": "nothing",
}
ABOUT: dict[str, dict[str, Any]] = {
    "web": {
        "title": "A crawl",
        "url": "https://example.org/crawl",
        "version": "2024-10",
        "licence": "see pages",
        "category": "crawled",
        "description": "Swiss news",
        "crawler": {"name": "Bot/1", "operator": "E", "purpose": "training", "behaviour": "obeys robots.txt"},
        "collected": {"from": "2024-01-01", "to": "2024-04-01"},
    },
    "books": {
        "title": "Books",
        "url": "https://example.org/books",
        "version": "3",
        "licence": "CC0-1.0",
        "category": "public-dataset",
        "description": "old books",
    },
}


def _summary(
    folder: Path, provider: dict[str, Any], about: dict[str, dict[str, Any]], rows: tuple[Row, ...] = ROWS
) -> dict[str, Any]:
    made = corpus(
        folder,
        rows,
        plain(ProviderSection.model_validate(provider)),
        {name: plain(AboutSection.model_validate(block)) for name, block in about.items()},
    )
    _, domains = write_domains(Storage(str(folder)), count(folder, made).domains, sme=bool(provider.get("sme")))
    return eu_summary(made, domains)


def _values(summary: dict[str, Any], number: str, origin: str) -> dict[str, Any]:
    (section,) = [section for section in summary["sections"] if section["number"] == number]
    return {entry["label"]: entry["value"] for entry in section["entries"] if entry["origin"] == origin}


def test_every_section_of_the_template_is_there_in_its_order(tmp_path: Path) -> None:
    summary = _summary(tmp_path, {}, {})
    numbers = [section["number"] for section in summary["sections"]]
    assert numbers == [
        *("header", "1.1", "1.2", "1.3", "2.1", "2.2.1", "2.2.2", "2.3", "2.4", "2.5", "2.6", "3.1", "3.2", "3.3")
    ]
    assert numbers == list(TITLES)
    assert all(section["entries"] for section in summary["sections"])


def test_what_is_measured_is_what_the_ledger_holds(tmp_path: Path) -> None:
    summary = _summary(tmp_path, PROVIDER, ABOUT)
    assert _values(summary, "header", "measured") == {
        "Corpus": "by hand",
        "Lineage of the corpus (SHA-256 over all parameters and inputs)": "1" * 64,
        "Digest of the ledger that the measured values come from": "3" * 64,
    }
    size = _values(summary, "1.3", "measured")
    official = size.pop("Official languages of the Union")
    assert {row["language"]: row["tokens"] for row in official if row["tokens"]} == {"English": 10, "German": 1234}
    assert len(official) == len(OFFICIAL) == 24
    assert size == {
        "Modality": "text",
        "Size of the text": "less than 1 billion tokens",
        "Tokens": 1544,
        "Documents": 4,
        "Tokenizer in which they are counted": f"tokenizer tekken; SHA-256 {'4' * 64}",
        "Sources of the text": [
            {"source": "books", "read as": "warc", "category": "public-dataset", "tokens": 10},
            {"source": "web", "read as": "warc", "category": "crawled", "tokens": 1534},
        ],
        "Latest date of acquisition": "2024-03-05T00:00:01Z",
        "Languages and scripts": 3,
        "Shares of languages": [
            {"language": "deu_Latn", "documents": 2, "tokens": 1234, "share in %": 79.9223},
            {"language": "roh_Latn", "documents": 1, "tokens": 300, "share in %": 19.4301},
            {"language": "eng_Latn", "documents": 1, "tokens": 10, "share in %": 0.6477},
        ],
    }
    assert _values(summary, "2.1", "measured") == {
        "Public datasets used": 1,
        "Modality": "text",
        "Large datasets: more than 3 % of all public ones": [
            {
                "title": "Books",
                "version": "3",
                "link": "https://example.org/books",
                "licence": "CC0-1.0",
                "tokens": 10,
                "share in %": 100.0,
            }
        ],
        "Other public datasets": [],
    }
    assert _values(summary, "2.3", "measured") == {
        "web: collection period of kept records": "2024-01-31T23:59:59Z to 2024-03-05T00:00:01Z",
        "web: documents and tokens kept": "3 and 1,534",
        "Behaviour (optout)": ["Four pages ended."],
        "Domains that crawled content comes from": "2 registered domains, 3 documents with one",
        "Domains by size of content in characters: largest 5 %, at most 1,000 (SME); all 1 are in domains.csv": [
            {"domain": "a.example", "records": 2, "tokens": 1234, "characters": 7000}
        ],
    }
    rights = _values(summary, "3.1", "measured")
    assert rights["Measures of the build (optout)"] == ["robots.txt is obeyed.", "So is tdmrep."]
    ended = rights["Records that a reservation, a list of the provider, or not knowing ended"]
    assert sum(rule["records"] for rule in ended) == 4
    assert rights["Records removed on request"] == 1
    assert rights["Of these, records whose text had been in the corpus"] == 1
    assert _values(summary, "3.2", "measured") == {
        "Measures of the build": "No stage of this build filters illegal content."
    }


def test_what_is_declared_in_full_leaves_nothing_missing(tmp_path: Path) -> None:
    summary = _summary(tmp_path, PROVIDER, ABOUT)
    assert summary["missing"] == []
    assert summary["conflicts"] == []
    told = json.dumps([entry for s in summary["sections"] for entry in s["entries"] if entry["origin"] == "declared"])
    given = [*_leaves(PROVIDER), *_leaves(ABOUT["books"]), *_leaves(ABOUT["web"]["crawler"]), "A crawl", "Swiss news"]
    for words in given:
        assert words in told or words == "public-dataset", words
    assert "2024-01-01 to 2024-04-01" in told


def _leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value] if isinstance(value, str) else []


def test_what_is_not_declared_is_missing_by_name_and_never_invented(tmp_path: Path) -> None:
    summary = _summary(tmp_path, {}, {})
    assert all(entry["origin"] != "declared" for s in summary["sections"] for entry in s["entries"])
    declared = {
        *("summary.version", "summary.updated", "summary.previous", "name", "contact", "representative.name"),
        *("representative.contact", "sme", "models", "other_modalities", "content_types", "continuous_training"),
        *("characteristics", "public_datasets", "licensed", "third_party", "crawled", "user_data_of_model"),
        *("user_data_of_services", "synthetic", "other_data", "code_of_practice", "reservations", "copyright_policy"),
        *("rightsholder_contact", "illegal_content", "other"),
    }
    about = [
        "category",
        "title",
        "crawler.name",
        "crawler.operator",
        "crawler.purpose",
        "crawler.behaviour",
        "description",
    ]
    wanted = {f"provider.{name}" for name in declared}
    wanted |= {f"sources.{source}.about.{name}" for source in ("web", "books") for name in about}
    wanted |= {"sources.books.about.collected"}
    assert sorted(summary["missing"]) == sorted(wanted)
    page = summary_page(summary)
    for name in wanted:
        assert f"**not declared: {name}**" in page


@pytest.mark.parametrize("key", sorted(PROVIDER))
def test_a_single_missing_field_is_the_only_one_named(tmp_path: Path, key: str) -> None:
    summary = _summary(tmp_path, {name: value for name, value in PROVIDER.items() if name != key}, ABOUT)
    if key == "crawled":
        # The category of a source says it already.
        assert summary["missing"] == []
        assert _values(summary, "2.3", "declared")["Data crawled or scraped by the provider or on its behalf"]
    else:
        assert summary["missing"]
        assert all(name == f"provider.{key}" or name.startswith(f"provider.{key}.") for name in summary["missing"])


def test_a_no_that_a_source_contradicts_is_named(tmp_path: Path) -> None:
    about = {**ABOUT, "books": {**ABOUT["books"], "category": "synthetic"}}
    summary = _summary(tmp_path, PROVIDER, about)
    assert summary["conflicts"] == ["2.5: provider.synthetic says no, but the category of books says yes"]
    assert "**Contradiction in 2.5: provider.synthetic says no" in summary_page(summary)
    assert "provider.synthetic.models" in summary["missing"]
    listed = _values(summary, "2.5", "measured")["Sources of this corpus"]
    assert [(row["title"], row["tokens"]) for row in listed] == [("Books", 10)]


def test_public_datasets_are_large_above_three_per_cent(tmp_path: Path) -> None:
    sizes = {"a": 9700 - 1, "b": 300, "c": 1}
    rows = tuple(Row(name, None, "kept", None, None, None, 1, tokens) for name, tokens in sizes.items())
    about = {name: {**ABOUT["books"], "title": name} for name in sizes}
    summary = _summary(tmp_path, {}, about, rows)
    public = _values(summary, "2.1", "measured")
    assert [row["title"] for row in public["Large datasets: more than 3 % of all public ones"]] == ["a"]
    assert [(row["title"], row["share in %"]) for row in public["Other public datasets"]] == [("b", 3.0), ("c", 0.01)]
    assert public["Public datasets used"] == 3


def test_bands_are_those_of_the_template() -> None:
    assert [band(n) for n in (0, 10**9 - 1, 10**9, 10**13, 10**13 + 1)] == [
        *["less than 1 billion tokens"] * 2,
        *["1 billion to 10 trillion tokens"] * 2,
        "more than 10 trillion tokens",
    ]


def test_an_empty_corpus_has_a_summary(tmp_path: Path) -> None:
    summary = _summary(tmp_path, {}, {}, (Row("web", None, "error", "read", "corrupt-range"),))
    size = _values(summary, "1.3", "measured")
    assert size["Languages"] == "no language was identified"
    assert size["Latest date of acquisition"] == "no kept record has a date"
    assert summary_page(summary)
