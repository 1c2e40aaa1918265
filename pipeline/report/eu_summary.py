"""The public summary of training content (AI Act, Art. 53(1)(d)) of a corpus, from corpus.json alone.

Every field of the template is there in its order. What the run knows is measured; what only the provider knows is taken
from the manifest's `provider:` and `about:` blocks; what is in neither is missing, by the name of its key. A declared
answer that the sources contradict is named in `conflicts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.report.display import counted
from lauter.pipeline.report.domains import crawled_sources
from lauter.pipeline.report.eu_fields import (
    LARGE_PERCENT,
    OFFICIAL,
    SECTIONS,
    TEMPLATE,
    Section,
    band,
    percent,
)
from lauter.pipeline.report.register import data_sources, period
from lauter.pipeline.report.tallies import UNPLACED

ANSWERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "2.2.1": (("Data licensed from rightsholders", "licensed"),),
    "2.2.2": (("Private data from other third parties", "third_party"),),
    "2.3": (("Data crawled or scraped by the provider or on its behalf", "crawled"),),
    "2.4": (
        ("User data from interactions with the model", "user_data_of_model"),
        ("User data from other services", "user_data_of_services"),
    ),
    "2.5": (("Synthetic data", "synthetic"),),
    "2.6": (("Data from other sources", "other_data"),),
}
"""Questions that are answered with yes or no, and their keys in the provider's block."""


def eu_summary(corpus: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
    """The summary as plain data: `sections` of entries, `missing` keys and `conflicts`.

    `domains` is what `domains.write_domains` says of the crawled sources.
    """
    provider: Mapping[str, Any] = corpus["provider"]
    every = data_sources(corpus)
    # What nothing was kept of is no training content; it is in the data register.
    sources = [source for source in every if source["kept"]]
    conflicts: list[str] = []
    sections = [
        _header(corpus, provider),
        _provider(provider),
        _models(provider),
        _size(corpus, provider, every),
        _public(provider, sources),
        *(_kind(number, provider, sources, conflicts) for number in ANSWERS),
        _reservations(corpus, provider),
        _illegal(corpus, provider),
        _other(corpus, provider),
    ]
    _crawled(next(section for section in sections if section.number == "2.3"), corpus, sources, domains)
    return {
        "template": TEMPLATE,
        "corpus": corpus["name"],
        "lineage": corpus["lineage"],
        "sections": [section.plain() for section in sections],
        "missing": [entry.name for section in sections for entry in section.entries if entry.origin == "missing"],
        "conflicts": conflicts,
    }


def _header(corpus: Mapping[str, Any], provider: Mapping[str, Any]) -> Section:
    section = Section("header")
    section.declared("Version of the summary", provider, "provider.summary.version")
    section.declared("Last update", provider, "provider.summary.updated")
    section.declared("Earlier versions", provider, "provider.summary.previous")
    section.measured("Corpus", corpus["name"], "manifest")
    section.measured("Lineage of the corpus (SHA-256 over all parameters and inputs)", corpus["lineage"], "run")
    section.measured("Digest of the ledger that the measured values come from", corpus["ledger_sha256"], "run")
    return section


def _provider(provider: Mapping[str, Any]) -> Section:
    section = Section("1.1")
    section.declared("Name", provider, "provider.name")
    section.declared("Contact", provider, "provider.contact")
    section.declared("Authorised representative in the Union, if any: name", provider, "provider.representative.name")
    section.declared("Authorised representative: contact", provider, "provider.representative.contact")
    section.declared("Small or medium-sized enterprise", provider, "provider.sme")
    return section


def _models(provider: Mapping[str, Any]) -> Section:
    section = Section("1.2")
    if not provider.get("models"):
        section.declared("Versioned model names", provider, "provider.models")
    for index, model in enumerate(provider.get("models", ())):
        name = f"provider.models.{index}"
        section.add("Model", f"{name}.name", model["name"])
        section.add("Version", f"{name}.version", model.get("version"))
        based = model.get("based_on")
        none = "none: trained from scratch"
        told = based and [{"model": item["name"], "summary": item.get("summary", "not declared")} for item in based]
        section.add("Models that it is based on", f"{name}.based_on", none if based == [] else told)
        section.add("Placed on the Union market", f"{name}.placed_on_market", model.get("placed_on_market"))
    return section


def _size(corpus: Mapping[str, Any], provider: Mapping[str, Any], sources: list[dict[str, Any]]) -> Section:
    section, summary = Section("1.3"), corpus["summary"]
    tokenizer = corpus["tokenizer"]
    section.measured("Modality", "text")
    section.measured("Size of the text", band(summary["tokens"]))
    section.measured("Tokens", summary["tokens"])
    section.measured("Documents", summary["verdicts"].get("kept", 0))
    settings = ", ".join(f"{key} {value}" for key, value in sorted(tokenizer["settings"].items()))
    section.measured("Tokenizer in which they are counted", f"{settings}; SHA-256 {tokenizer['sha256']}", "run")
    section.declared("Other modalities", provider, "provider.other_modalities")
    kinds = [
        {"source": s["name"], "read as": s["kind"], "category": s["category"] or "not declared", "tokens": s["tokens"]}
        for s in sources
    ]
    section.measured("Sources of the text", kinds)
    section.declared("Types of content", provider, "provider.content_types")
    last = summary["period"]["last"]
    section.measured("Latest date of acquisition", last or "no kept record has a date")
    section.declared("Continuous training on new data", provider, "provider.continuous_training")
    _languages(section, summary)
    section.declared("Other characteristics", provider, "provider.characteristics")
    return section


def _languages(section: Section, summary: Mapping[str, Any]) -> None:
    tokens = summary["tokens"]
    kept = {name: row for name, row in summary["languages"].items() if row["kept"]}
    if not kept.keys() - {"-"}:
        section.measured("Languages", "no language was identified")
        return
    section.measured("Languages and scripts", len(kept.keys() - {"-"}))
    order = sorted(kept, key=lambda name: (-kept[name]["tokens"], name))
    section.measured(
        "Shares of languages",
        [
            {
                "language": "not identified" if name == "-" else name,
                "documents": kept[name]["kept"],
                "tokens": kept[name]["tokens"],
                "share in %": percent(kept[name]["tokens"], tokens),
            }
            for name in order
        ],
    )
    official = {
        name: sum(row["tokens"] for code, row in kept.items() if code.partition("_")[0] in codes)
        for name, codes in OFFICIAL.items()
    }
    section.measured(
        "Official languages of the Union",
        [{"language": name, "tokens": n, "share in %": percent(n, tokens)} for name, n in official.items()],
    )


def _listed(source: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    return {
        "title": source["title"] or source["name"],
        "version": source["version"] or "not declared",
        "link": source["url"] or "not declared",
        "licence": source["licence"] or "not declared",
        "tokens": source["tokens"],
        "share in %": percent(source["tokens"], tokens),
    }


def _described(section: Section, source: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    """What was said of a source, and what was not."""
    for key in keys:
        section.add(f"{source['name']}: {key}", f"sources.{source['name']}.about.{key}", source[key])


def _public(provider: Mapping[str, Any], sources: list[dict[str, Any]]) -> Section:
    section = Section("2.1")
    own = [source for source in sources if source["category"] == "public-dataset"]
    tokens = sum(source["tokens"] for source in own)
    large = [source for source in own if source["tokens"] * 100 > LARGE_PERCENT * tokens]
    section.measured("Public datasets used", len(own), "manifest")
    section.measured("Modality", "text" if own else "none")
    section.measured(
        f"Large datasets: more than {LARGE_PERCENT} % of all public ones", [_listed(source, tokens) for source in large]
    )
    for source in large:
        _described(section, source, ("title", "url", "version", "licence", "description"))
    rest = [source for source in own if source not in large]
    section.measured("Other public datasets", [_listed(source, tokens) for source in rest])
    section.declared("Description of other public datasets", provider, "provider.public_datasets")
    return section


def _kind(number: str, provider: Mapping[str, Any], sources: list[dict[str, Any]], conflicts: list[str]) -> Section:
    section = Section(number)
    own = [source for source in sources if SECTIONS.get(source["category"] or "") == number]
    for label, key in ANSWERS[number]:
        answer = provider.get(key)
        if answer is None and own:
            names = ", ".join(f"sources.{source['name']}.about.category" for source in own)
            section.add(label, names, "yes: by the category of these sources")
        else:
            section.add(label, f"provider.{key}", None if answer is None else answer["used"])
        if answer is not None and answer["used"]:
            section.declared(f"{label}: modalities", provider, f"provider.{key}.modalities")
            section.declared(f"{label}: description", provider, f"provider.{key}.description")
        if key == "synthetic" and (own or (answer and answer["used"])):
            section.declared("Models that made it", provider, "provider.synthetic.models")
    answers = [provider.get(key) for _, key in ANSWERS[number]]
    if own and all(answer is not None and not answer["used"] for answer in answers):
        told = " and ".join(f"provider.{key}" for _, key in ANSWERS[number])
        names = ", ".join(source["name"] for source in own)
        conflicts.append(f"{number}: {told} says no, but the category of {names} says yes")
    if number != "2.3":
        tokens = sum(source["tokens"] for source in own)
        section.measured("Sources of this corpus", [_listed(source, tokens) for source in own])
        for source in own:
            _described(section, source, ("description",))
    return section


def _crawled(
    section: Section, corpus: Mapping[str, Any], sources: list[dict[str, Any]], domains: Mapping[str, Any]
) -> None:
    """Section 2.3 after its question: crawlers, times, content, what was honoured, and the largest domains."""
    names = crawled_sources({name: source["about"] for name, source in corpus["sources"].items()})
    for source in [source for source in sources if source["name"] in names]:
        name, about = source["name"], f"sources.{source['name']}.about"
        if source["category"] is None:
            section.add(f"{name}: category; reported here as nobody says what it is", f"{about}.category", None)
        crawler = corpus["sources"][name]["about"].get("crawler", {})
        for key in ("name", "operator", "purpose", "behaviour"):
            section.add(f"{name}: crawler, {key}", f"{about}.crawler.{key}", crawler.get(key))
        measured = period(source["period"])
        section.measured(f"{name}: collection period of kept records", measured or "no kept record has a date")
        collected = source["collected"]
        if collected is not None or measured is None:
            told = collected and " to ".join(str(collected.get(end, "?")) for end in ("from", "to"))
            section.add(f"{name}: collection period", f"{about}.collected", told)
        _described(section, source, ("title", "description"))
        section.measured(f"{name}: documents and tokens kept", f"{source['kept']:,} and {source['tokens']:,}")
    _answers(section, corpus, "Behaviour", "No stage of this build looks at preference signals.")
    if names:
        size = f"{counted(domains['domains'], 'registered domain')}, {counted(domains['records'], 'document')} with one"
        section.measured("Domains that crawled content comes from", size)
        rule = "largest 5 %, at most 1,000 (SME)" if corpus["provider"].get("sme") else "largest 10 %"
        section.measured(
            f"Domains by size of content in {domains['size']}: {rule}; all {domains['listed']:,} are in domains.csv",
            domains["first"],
        )


def _answers(section: Section, corpus: Mapping[str, Any], label: str, none: str) -> None:
    told = [(item["stage"], item["answers"].get(section.number)) for item in corpus["sections"]]
    told = [(stage, sentences) for stage, sentences in told if sentences]
    for stage, sentences in told:
        section.measured(f"{label} ({stage})", sentences, f"stage {stage}")
    if not told:
        section.measured(label, none, "manifest")


def _reservations(corpus: Mapping[str, Any], provider: Mapping[str, Any]) -> Section:
    section = Section("3.1")
    section.declared("Signatory of the Code of Practice", provider, "provider.code_of_practice")
    _answers(section, corpus, "Measures of the build", "No stage of this build looks at reservations of rights.")
    stages = [item["stage"] for item in corpus["sections"] if "3.1" in item["answers"]]
    rules = [
        {key: rule[key] for key in ("stage", "reason", "signal", "agent", "records")}
        for rule in corpus["summary"]["evidence"]["rules"]
        if rule["stage"] in stages
    ]
    if stages:
        section.measured("Records that a reservation, a list of the provider, or not knowing ended", rules)
        mirrors = corpus.get("mirrors")
        if mirrors:
            section.measured("Copies of reserved pages found elsewhere", mirrors["found"])
            section.measured("Copies of reserved pages dropped", mirrors["dropped"])
    removed = corpus["summary"]["verdicts"].get("removed", 0)
    unplaced = sum(item["records"] for item in corpus["summary"]["reasons"] if item["stage"] == UNPLACED)
    section.measured("Records removed on request", removed)
    section.measured("Of these, records whose text had been in the corpus", removed - unplaced)
    section.declared("Further measures, before and during collection", provider, "provider.reservations")
    section.declared("Copyright policy", provider, "provider.copyright_policy")
    section.declared("Contact for rightsholders", provider, "provider.rightsholder_contact")
    return section


def _illegal(corpus: Mapping[str, Any], provider: Mapping[str, Any]) -> Section:
    section = Section("3.2")
    _answers(section, corpus, "Measures of the build", "No stage of this build filters illegal content.")
    section.declared("Further measures", provider, "provider.illegal_content")
    return section


def _other(corpus: Mapping[str, Any], provider: Mapping[str, Any]) -> Section:
    section = Section("3.3")
    _answers(section, corpus, "Measures of the build", "None.")
    section.declared("Other information", provider, "provider.other")
    return section
