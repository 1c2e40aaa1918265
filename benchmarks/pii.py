"""Personal data: the stage against Presidio and datatrove on the same real texts, on one core.

First all that the stage looks for by default, for which no peer has rules. Presidio is asked for six entities on every
document, through its `AnalyzerEngine` without a language model; datatrove's `PIIFormatter` knows e-mail and IPv4
addresses only, so the stage runs with these two alone as well. The texts are run as they are, with their URLs, and once
more with one e-mail address put into every document, where no prefilter helps. The share of documents in which
something is found is printed for each.
Usage: `python benchmarks/pii.py [TEXTS.jsonl.gz]`, default the texts of `$LAUTER_TEST_DATA/ground_truth.jsonl.gz`.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline.contract import StageContext
from lauter.stages.pii import Pii, PiiConfig

PRESIDIO_BYTES = 2_000_000
"""Presidio gets a part of the texts: all of them take minutes."""
ENTITIES = ("email", "ip", "iban", "card", "crypto", "phone")


def load(path: Path) -> tuple[list[str], list[str | None]]:
    """Texts that are not empty, and their URLs."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if row["gt"].get("text")]
    return [row["gt"]["text"] for row in rows], [row.get("url") for row in rows]


def sample(texts: list[str], limit: int) -> list[str]:
    step = max(1, sum(len(text.encode()) for text in texts) // limit)
    return texts[::step]


def stage(texts: list[str], urls: list[str | None], entities: tuple[str, ...]) -> Callable[[], int]:
    """Counts documents in which something is found."""
    pii = Pii(PiiConfig(entities=entities), StageContext())
    pii.open()
    # As English: the language with the most numbering plans.
    labels = pa.array(["eng_Latn"] * len(texts))
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "url": pa.array(urls), "language": labels})
    pii.apply(batch)  # loads numbering plans and registries
    return lambda: int(pc.sum(pc.greater(pii.apply(batch).columns["pii_count"], 0)).as_py())


def presidio(texts: list[str], entities: tuple[str, ...]) -> Callable[[], int]:
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    names = {"email": "Email", "ip": "Ip", "iban": "Iban", "card": "CreditCard", "crypto": "Crypto", "phone": "Phone"}
    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    engine = NoOpNlpEngine(models=[{"lang_code": "xx", "model_name": "no_op"}])
    engine.load()
    registry = RecognizerRegistry(supported_languages=["xx"])
    for entity in entities:
        recogniser = getattr(predefined_recognizers, f"{names[entity]}Recognizer")(supported_language="xx")
        if entity == "email":
            recogniser.validate_result = lambda text: offline(text).fqdn != ""
        if entity == "phone":
            recogniser.supported_regions = ("ZZ",)
        registry.add_recognizer(recogniser)
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["xx"])
    return lambda: sum(bool(analyzer.analyze(text, language="xx")) for text in texts)


def datatrove(texts: list[str]) -> Callable[[], int]:
    from datatrove.pipeline.formatters import PIIFormatter

    formatter = PIIFormatter()
    return lambda: sum(formatter.format(text) != text for text in texts)


def megabytes_per_second(run: Callable[[], int], texts: list[str], rounds: int) -> tuple[float, int]:
    best, result = float("inf"), 0
    for _ in range(rounds):
        start = time.process_time()
        result = run()
        best = min(best, time.process_time() - start)
    return sum(len(text.encode()) for text in texts) / 1e6 / best, result


def main() -> None:
    logging.disable(logging.CRITICAL)
    root = Path(os.environ.get("LAUTER_TEST_DATA", Path(__file__).parents[1] / "../shared/data"))
    real, urls = load(Path(sys.argv[1]) if len(sys.argv) > 1 else root / "ground_truth.jsonl.gz")
    hit = [f"{text}\nWrite to jane.roe@example.org." for text in real]
    for title, texts in (("real texts", real), ("an e-mail address in each", hit)):
        part = sample(texts, PRESIDIO_BYTES)
        print(f"{title}: {len(texts)} documents, {sum(len(text.encode()) for text in texts) / 1e6:.1f} MB")
        rows = [
            ("stage, all by default", stage(texts, urls, PiiConfig().entities), texts, 5),
            ("stage, six entities", stage(texts, urls, ENTITIES), texts, 5),
            ("presidio, six entities", presidio(part, ENTITIES), part, 1),
            ("stage, five without phone", stage(texts, urls, ENTITIES[:5]), texts, 5),
            ("presidio, five without phone", presidio(part, ENTITIES[:5]), part, 1),
            ("stage, e-mail and IP", stage(texts, urls, ENTITIES[:2]), texts, 5),
            ("datatrove, e-mail and IPv4", datatrove(texts), texts, 2),
        ]
        ours = 0.0
        for name, run, used, rounds in rows:
            rate, found = megabytes_per_second(run, used, rounds)
            ratio = f", stage {ours / rate:.0f}x" if not name.startswith("stage") else ""
            ours = rate if name.startswith("stage") else ours
            print(f"  {name:30} {rate:8.2f} MB/s  found in {found / len(used):6.1%} of {len(used)} documents{ratio}")


if __name__ == "__main__":
    main()
