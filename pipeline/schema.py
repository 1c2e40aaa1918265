"""Every Arrow schema of Lauter: the one place where a column is defined.

A *record* is what a reader yields; a *document* is a record that passed the hard decisions; a
*score* is a small column from which a soft decision is made; a *ledger row* says how one input
record ended. Stages name the columns they write by asking this file (`fields`), so that a column
has one type everywhere.
"""

from __future__ import annotations

from types import MappingProxyType

import pyarrow as pa

DOC_ID = pa.binary(16)

RULE = pa.struct(
    [
        pa.field("agent", pa.string()),
        pa.field("signal", pa.string()),
        pa.field("line", pa.int32()),
        pa.field("text", pa.string()),
    ]
)
"""Evidence of one decision: who or what it was about, where it stands (1-based line), and the rule's own words."""

BASIS = pa.struct(
    [
        pa.field("outcome", pa.string()),
        pa.field("origin_id", pa.uint64()),
        pa.field("via", pa.string()),
        pa.field("sha256", pa.binary(32)),
        pa.field("fetched_at", pa.timestamp("ms", tz="UTC")),
        pa.field("agents", pa.list_(pa.field("element", pa.string()))),
    ]
)
"""What permission to use a page rests on, for a keep as for a drop. `outcome`: what is known of its origin, in the
words of the stage that decides (`rules`, `allow`, `missing`, ...); `origin_id`: the origin whose file was asked, which
differs from the page's own where `via` says how (`scheme`, `www`); `sha256` and `fetched_at`: of that file, or of the
file that holds the `rule`; `agents`: all of the policy's agents that the rule hits."""

SIGNAL = pa.schema(
    [
        pa.field("doc_id", DOC_ID, nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("place", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
    ]
)
"""What a page itself says of its use, raw: `place` is `header`, `meta`, `link`, `anchor` or `json-ld`, `name` the name
of the header, meta element or relation in lower case, `value` its content as written (cut at 1,000 code points),
`position` the 1-based line in the header block or the byte offset in the payload. `row` is the record's row in its
part."""

SPAN = pa.struct(
    [
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
    ]
)
"""A half-open range [start, end) in code points of the rewritten text, and the type of what stood there."""

MARK = pa.struct(
    [
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("control", pa.string()),
        pa.field("literal", pa.string()),
        pa.field("trained", pa.bool_(), nullable=False),
        pa.field("opens", pa.bool_(), nullable=False),
    ]
)
"""What stands between two texts of a dialogue. The code points [start, end) are white space for people and stages, and
no token is made of them: in their place come the control token named `control`, if any, which carries loss if
`trained`, and the tokens of `literal`, fixed words of the chat format, which carry none. The text behind it, up to the
next mark, carries loss if it `opens`. Marks are in order and do not overlap; `pipeline.marking` has what keeps them."""

PII_TYPE = pa.struct([pa.field("type", pa.string(), nullable=False), pa.field("count", pa.int32(), nullable=False)])
"""A type of personal data (`email`), and how often it stood in a document and its title."""

LANGUAGE = pa.struct(
    [pa.field("language", pa.string(), nullable=False), pa.field("score", pa.uint16(), nullable=False)]
)
"""A language that a document may be in (`deu_Latn`), and its probability in ten-thousandths."""

RECORD = pa.schema(
    [
        pa.field("doc_id", DOC_ID, nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("fetched_at", pa.timestamp("s", tz="UTC")),
        pa.field("http_status", pa.int32()),
        pa.field("http_headers", pa.binary()),
        pa.field("media_type", pa.string()),
        pa.field("charset", pa.string()),
        pa.field("payload", pa.large_binary()),
        pa.field("text", pa.large_string()),
        pa.field("repository", pa.string()),
        pa.field("path", pa.string()),
        pa.field("licences", pa.list_(pa.field("element", pa.string()))),
        pa.field("generator", pa.string()),
        pa.field("marks", pa.list_(pa.field("element", MARK, nullable=False))),
    ]
)
"""What a reader yields. `offset` and `length` are bytes of the (compressed) file; `payload` is the body after
de-chunking and decompression; `text` is set instead where the source holds text already (WET, Parquet, JSONL).
`http_headers` is the raw header block, for the page-level signals. `repository` (`owner/name`), `path` in it and
`licences`, as they were declared, are of source code, and of other text whose columns name them. `generator` is the
model that wrote a dialogue, as it was declared, and `marks` are its turns; null for what is no dialogue."""

IDENTITY = ("doc_id", "url", "fetched_at")
"""The columns of a record that travel with its document."""

# Columns that stages write. Kept beside the text in documents/ (DOCUMENT) or apart in scores/ (SCORE).
DOCUMENT = pa.schema(
    [
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("origin_id", pa.uint64()),
        pa.field("basis", BASIS),
        pa.field("language", pa.string()),
        pa.field("script", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("pii_spans", pa.list_(SPAN)),
        RECORD.field("generator"),
        RECORD.field("marks"),
    ]
)

SCORE = pa.schema(
    [
        pa.field("chars", pa.int32()),
        pa.field("language_score", pa.uint16()),
        pa.field("second_language", pa.string()),
        pa.field("second_language_share", pa.uint16()),
        pa.field("other_script_share", pa.uint16()),
        pa.field("top_languages", pa.list_(pa.field("element", LANGUAGE, nullable=False))),
        pa.field("words", pa.int32()),
        pa.field("mean_word_length", pa.uint16()),
        pa.field("symbol_ratio", pa.uint16()),
        pa.field("bullet_line_ratio", pa.uint16()),
        pa.field("ellipsis_line_ratio", pa.uint16()),
        pa.field("alphabetic_word_ratio", pa.uint16()),
        pa.field("stop_words", pa.uint16()),
        pa.field("duplicate_line_ratio", pa.uint16()),
        pa.field("duplicate_paragraph_ratio", pa.uint16()),
        pa.field("duplicate_line_char_ratio", pa.uint16()),
        pa.field("duplicate_paragraph_char_ratio", pa.uint16()),
        pa.field("top_ngram_ratios", pa.list_(pa.uint16(), 3)),
        pa.field("duplicate_ngram_ratios", pa.list_(pa.uint16(), 6)),
        pa.field("line_punctuation_ratio", pa.uint16()),
        pa.field("short_line_ratio", pa.uint16()),
        pa.field("newline_ratio", pa.uint16()),
        pa.field("c4_sentences", pa.int32()),
        pa.field("c4_line_ratio", pa.uint16()),
        pa.field("lorem_ipsum_lines", pa.int32()),
        pa.field("curly_bracket_lines", pa.int32()),
        pa.field("extension", pa.string()),
        pa.field("lines", pa.int32()),
        pa.field("max_line_length", pa.int32()),
        pa.field("mean_line_length", pa.int32()),
        pa.field("letter_ratio", pa.uint16()),
        pa.field("alphanumeric_ratio", pa.uint16()),
        pa.field("encoded_ratio", pa.uint16()),
        pa.field("max_encoded_length", pa.int32()),
        pa.field("generated", pa.bool_()),
        pa.field("pii_count", pa.int32()),
        pa.field("pii_types", pa.list_(pa.field("element", PII_TYPE, nullable=False))),
        pa.field("toxicity", pa.uint16()),
        pa.field("toxicity_model", pa.uint8()),
        pa.field("quality_classifier", pa.uint16()),
        pa.field("embedding_scores", pa.list_(pa.field("element", pa.uint16()))),
        pa.field("contamination", pa.uint16()),
        pa.field("contamination_item", pa.uint32()),
        pa.field("contamination_place", pa.uint32()),
        pa.field("contamination_ngrams", pa.list_(pa.field("element", pa.uint32(), nullable=False))),
        pa.field("user_turns", pa.int32()),
        pa.field("user_chars", pa.int32()),
        pa.field("answer_chars", pa.int32()),
        pa.field("shortest_answer", pa.int32()),
        pa.field("thought_chars", pa.int32()),
        pa.field("tool_calls", pa.int32()),
        pa.field("ends_with_answer", pa.bool_()),
        pa.field("user_language", pa.string()),
        pa.field("answer_language", pa.string()),
        pa.field("brand", pa.string()),
        pa.field("brand_claims", pa.int32()),
        pa.field("brand_answers", pa.int32()),
        pa.field("brand_mentions", pa.int32()),
    ]
)
"""Scores are quantised before any comparison, so that the last bits of a float never change a decision. Ratios and
probabilities are ten-thousandths (0.8215 -> 8215); `mean_word_length` and `mean_line_length` are in hundredths of a
code point. The `contamination_` columns are numbers of the stage's index: an item, a word in it, and n-grams.
The columns from `user_turns` on are of dialogues, null for other texts; lengths are code points.
`quality_classifier` and `embedding_scores`, one a head in the order of their names, are log-odds
(`stages.log_odds`)."""

RATIO_SCALE = 10_000
"""Ratios and probabilities in score columns are round(value * RATIO_SCALE)."""

CODES = MappingProxyType({"toxicity_model": ("lexicon", "embedded", "detoxify")})
"""Columns of a few codes, uint8, of which the report counts documents by code; and what each code from 1 means."""

LOG_ODDS = frozenset({"quality_classifier", "embedding_scores"})
"""Columns of log-odds: LOG_ODDS_HALF + round(logit * LOG_ODDS_STEPS), logits from -16 to 16."""
LOG_ODDS_STEPS = 1024
LOG_ODDS_HALF = 1 << 15
"""The score of a probability of 0.5."""

VERDICTS = ("kept", "dropped", "duplicate", "error", "removed")

LEDGER = pa.schema(
    [
        pa.field("doc_id", DOC_ID, nullable=False),
        pa.field("source", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("file", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("origin_id", pa.uint64()),
        pa.field("fetched_at", pa.timestamp("s", tz="UTC")),
        pa.field("verdict", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("stage", pa.dictionary(pa.int32(), pa.string())),
        pa.field("reason", pa.dictionary(pa.int32(), pa.string())),
        pa.field("duplicate_of", DOC_ID),
        pa.field("rule", RULE),
        pa.field("basis", BASIS),
        pa.field("language", pa.dictionary(pa.int32(), pa.string())),
        pa.field("script", pa.dictionary(pa.int32(), pa.string())),
        pa.field("chars", pa.int32()),
        pa.field("tokens", pa.int32()),
        pa.field("text_sha256", pa.binary(32)),
        pa.field("stream", pa.dictionary(pa.int32(), pa.string())),
        pa.field("shard", pa.int32()),
        pa.field("row", pa.int64()),
    ]
)
"""One row per input record, never any text. `stage` and `reason` say where a record that was not kept ended."""

TOKENS = pa.schema(
    [
        pa.field("doc_id", DOC_ID, nullable=False),
        pa.field("source", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("language", pa.dictionary(pa.int32(), pa.string())),
        pa.field("length", pa.int32(), nullable=False),
        pa.field("copies", pa.uint32(), nullable=False),
        pa.field("tokens", pa.list_(pa.field("element", pa.uint32(), nullable=False)), nullable=False),
        pa.field("removed", pa.bool_(), nullable=False),
    ]
)
"""One whole document a row; `length` = number of ids in `tokens`, BOS and EOS included; `copies` = for how many
documents it stands, itself included."""


LOSS_SPANS = pa.field("loss_spans", pa.list_(pa.field("element", pa.uint32(), nullable=False)))
"""Last column of the shards of a corpus with dialogues: which tokens carry loss as labels. Starts and ends alternate
and rise, [start, end) in places of the document, BOS at 0. Null: every token, as in a corpus without the column;
empty: none."""

DIALOGUE_TOKENS = TOKENS.append(LOSS_SPANS)
"""Token shards of a corpus with dialogues."""


def fields(schema: pa.Schema, *names: str) -> pa.Schema:
    """The named columns of a schema, in the given order.

    >>> fields(SCORE, "toxicity").names
    ['toxicity']
    """
    return pa.schema([schema.field(name) for name in names])
