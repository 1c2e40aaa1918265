"""Every reader, stage and encoder that a manifest may name: one explicit table, nothing registers itself."""

from __future__ import annotations

from lauter.pipeline.manifest import Catalogue

CATALOGUE = Catalogue(
    readers={
        "warc": "lauter.stages.read.warc:WarcReader",
        "wet": "lauter.stages.read.wet:WetReader",
        "parquet": "lauter.stages.read.parquet:ParquetReader",
        "jsonl": "lauter.stages.read.jsonl:JsonlReader",
        "dialogues": "lauter.stages.read.dialogues.reader:DialoguesReader",
        "probes": "lauter.stages.read.probes.reader:ProbesReader",
    },
    stages={
        "optout": "lauter.stages.optout.stage:OptOut",
        "extract": "lauter.stages.extract.stage:Extract",
        "licence": "lauter.stages.licence.stage:Licence",
        "repositories": "lauter.stages.code.repositories:Repositories",
        "terms": "lauter.stages.terms.stage:Terms",
        "turns": "lauter.stages.turns:Turns",
        "brands": "lauter.stages.brands.stage:Brands",
        "turn-languages": "lauter.stages.language.turns:TurnLanguages",
        "normalise": "lauter.stages.normalise:Normalise",
        "language": "lauter.stages.language.stage:Language",
        "code": "lauter.stages.code.stage:Code",
        "quality": "lauter.stages.quality.stage:Quality",
        "pii": "lauter.stages.pii.stage:Pii",
        "toxicity": "lauter.stages.toxicity.stage:Toxicity",
        "embedding": "lauter.stages.embedding.stage:Embedding",
        "decontaminate": "lauter.stages.decontaminate.stage:Decontaminate",
    },
    barriers={"dedup": "lauter.stages.dedup.stage:Dedup"},
    cutters={"passages": "lauter.stages.passages.stage:RepeatedPassages"},
    encoder="lauter.stages.tokens.encoder:HuggingFaceEncoder",
    endings={".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".warc": "warc", ".wet": "wet"},
    given={"language": "lauter.stages.language.labels.given:label_of"},
    commands={
        "optout": "lauter.stages.optout.cli:app",
        "extract": "lauter.stages.extract.cli:app",
        "lang": "lauter.stages.language.cli:app",
        "embedding": "lauter.stages.embedding.cli:app",
        "quality": "lauter.stages.quality.cli:app",
        "tokenizer": "lauter.stages.tokens.cli:app",
        "probes": "lauter.stages.read.probes.cli:app",
        "toxicity": "lauter.stages.toxicity.cli:app",
    },
)
