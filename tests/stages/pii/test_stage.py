"""The stage keeps its contract: rows, types, spans, scores, and nothing of what it removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.stages.pii import Pii, PiiConfig
from lauter.stages.pii.spans import Match, resolve

SECRETS = {
    "foo.bar@example.org": "email",
    "66.46.179.200": "ip",
    "2a00:1450:4001:81b::200e": "ip",
    "DE89 3704 0044 0532 0130 00": "iban",
    "4111-1111-1111-1111": "card",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": "crypto",
    "+41 44 668 18 00": "phone",
}
WORDS = st.sampled_from([*SECRETS, "straße", "中文", "<email-pii>", "1.2.3.4", "😀", "a@", "12", "the"])
TEXTS = st.lists(WORDS, max_size=12).map("; ".join)


def batch(texts: Sequence[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), cut=st.integers(0, 6))
def test_rewrites_and_says_where(pii: Pii, texts: list[str], cut: int) -> None:
    verdict = pii.apply(batch(texts))
    columns = {name: column.to_pylist() for name, column in verdict.columns.items()}
    assert verdict.keep.all()
    for text, rewritten, spans, count, chars in zip(
        texts, columns["text"], columns["pii_spans"], columns["pii_count"], columns["chars"], strict=True
    ):
        assert count == len(spans)
        assert chars == len(rewritten)
        assert not any(secret in rewritten for secret in SECRETS)
        expected = text
        for secret, kind in SECRETS.items():
            expected = expected.replace(secret, f"<{kind}-pii>")
        assert rewritten == expected
        for span in spans:
            assert rewritten[span["start"] : span["end"]] == f"<{span['type']}-pii>"
        assert count == sum(text.split("; ").count(secret) for secret in SECRETS)
        found = pii.spans_of({"text": text})
        assert [kind for _, _, kind in found] == [span["type"] for span in spans]
        assert all(SECRETS[text[start:end]] == kind for start, end, kind in found)
    # However a batch is cut, a document is treated the same.
    whole = batch(texts)
    for first, part in ((0, whole.slice(0, cut)), (cut, whole.slice(cut))):
        for name, column in pii.apply(part).columns.items():
            assert column.to_pylist() == columns[name][first : first + part.num_rows]


def test_columns_have_the_types_of_the_schema(pii: Pii) -> None:
    for rows in (["foo@bar.com x"], ["nothing"], [None], [], [""], ["a", None]):
        verdict = pii.apply(batch(rows))
        assert verdict.reason.dtype == np.uint8
        for declared in (*Pii.documents, *Pii.scores):
            assert verdict.columns[declared.name].type == declared.type
            assert len(verdict.columns[declared.name]) == len(rows)
            nulls = {"text": sum(row is None for row in rows), "title": len(rows)}
            assert verdict.columns[declared.name].null_count == nulls.get(declared.name, 0)
        assert verdict.columns.keys() == {*Pii.documents.names, *Pii.scores.names}


def test_a_null_text_stays_null_and_is_an_error(pii: Pii) -> None:
    short = pa.record_batch({"text": pa.array([None, "a@b.org", None, ""], pa.string())})
    verdict = pii.apply(short)
    assert verdict.columns["text"].to_pylist() == [None, "<email-pii>", None, ""]
    reasons = [Pii.reasons[r - 1] if r else None for r in verdict.reason]
    assert [r and r[:2] for r in reasons] == [("no-text", "error"), None, ("no-text", "error"), None]


def test_the_title_is_cleaned_and_counted_and_has_no_span(pii: Pii, stage: Callable[[PiiConfig], Pii]) -> None:
    titles = ["Call +41 44 668 18 00", None, "", "中 foo@bar.com x"]
    texts = ["no", "foo@bar.com", "no", "is foo@bar.com"]
    titled = batch(texts).append_column("title", pa.array(titles, pa.string()))
    verdict = pii.apply(titled)
    assert verdict.keep.all()
    assert verdict.columns["title"].to_pylist() == ["Call <phone-pii>", None, "", "中 <email-pii> x"]
    assert verdict.columns["pii_count"].to_pylist() == [1, 1, 0, 2]
    assert verdict.columns["pii_types"].to_pylist() == [
        [{"type": "phone", "count": 1}],
        [{"type": "email", "count": 1}],
        [],
        [{"type": "email", "count": 2}],
    ]
    without = pii.apply(batch(texts))
    assert without.columns["title"].to_pylist() == [None] * 4
    for name in ("text", "pii_spans", "chars"):
        assert without.columns[name].equals(verdict.columns[name])
    limited = stage(PiiConfig(max_candidates_per_document=1)).apply(
        batch(["x"]).append_column("title", pa.array(["a@b.org c@d.org"]))
    )
    assert limited.reason.tolist() == [1]
    assert limited.columns["title"].to_pylist() == [""]


def test_bytes_that_are_no_utf8_do_not_crash(pii: Pii) -> None:
    raw = b"\xff\xfe mail foo@bar.com \xc3"
    text = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(raw)], np.int64)), pa.py_buffer(raw))
    found = pii.apply(pa.record_batch({"text": text}))
    assert bytes(found.columns["text"].buffers()[2]) == b"\xff\xfe mail <email-pii> \xc3"


def test_a_placeholder_of_the_page_is_text(pii: Pii) -> None:
    verdict = pii.apply(batch(["<email-pii> and foo@bar.com"]))
    assert verdict.columns["pii_spans"].to_pylist() == [[{"start": 16, "end": 27, "type": "email"}]]


def test_a_match_is_replaced_where_it_stands_only(pii: Pii) -> None:
    verdict = pii.apply(batch(["host 66.46.179.20 and 66.46.179.200 and 166.46.179.20.7"]))
    assert verdict.columns["text"].to_pylist() == ["host <ip-pii> and <ip-pii> and 166.46.179.20.7"]


def test_a_document_with_too_much_to_look_at_is_dropped(stage: Callable[[PiiConfig], Pii]) -> None:
    limited = stage(PiiConfig(max_candidates_per_document=3))
    verdict = limited.apply(batch(["a@b.org " * 3, "a@b.org " * 4, "foo@bar.com"]))
    assert [Pii.reasons[r - 1].name if r else None for r in verdict.reason] == [None, "pii-unchecked", None]
    assert verdict.columns["text"].to_pylist() == ["<email-pii> " * 3, "", "<email-pii>"]


def test_dense_documents_are_dropped_on_request(pii: Pii, stage: Callable[[PiiConfig], Pii]) -> None:
    scores = pa.record_batch(
        {"pii_count": pa.array([0, 5, 6], pa.int32()), "chars": pa.array([9, 1000, 1000], pa.int32())}
    )
    assert pii.decide(scores).keep.all()
    verdict = stage(PiiConfig(max_spans_per_1000_chars=5)).decide(scores)
    assert verdict.reason.tolist() == [0, 0, 2]
    assert verdict.rule is not None
    assert verdict.rule.type == schema.RULE
    assert verdict.rule.to_pylist()[:2] == [None, None]


def test_the_config_is_strict(stage: Callable[[PiiConfig], Pii]) -> None:
    with pytest.raises(ValueError, match="unknown entities names"):
        stage(PiiConfig(entities=("names",)))
    with pytest.raises(ValueError, match="no numbering plan for XX"):
        stage(PiiConfig(phone_regions=("XX",)))
    assert PiiConfig.model_validate({"entities": ["email"]}).entities == ("email",)


def test_entities_can_be_chosen(stage: Callable[[PiiConfig], Pii]) -> None:
    chosen = stage(PiiConfig(entities=("ch-ahv", "it-codicefiscale")))
    text = "AHV 756.9217.0769.85, CF RSSMRA85T10A562S, foo@bar.com, AHV 756.9217.0769.84"
    assert [(text[s:e], kind) for s, e, kind in chosen.spans_of({"text": text})] == [
        ("756.9217.0769.85", "id"),
        ("RSSMRA85T10A562S", "id"),
    ]


MATCHES = st.lists(
    st.builds(
        lambda start, length, priority: Match(0, start, start + length, priority, "x"),
        st.integers(0, 40),
        st.integers(1, 12),
        st.integers(0, 3),
    ),
    max_size=12,
)


@given(MATCHES)
def test_overlaps_are_resolved_longest_leftmost_first(matches: list[Match]) -> None:
    kept = resolve(matches)
    assert kept == sorted(kept, key=lambda m: m.start)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    order = sorted(matches, key=lambda m: (m.start - m.end, m.start, m.priority))
    naive: list[Match] = []
    for match in order:
        if all(match.end <= other.start or match.start >= other.end for other in naive):
            naive.append(match)
    assert kept == sorted(naive, key=lambda m: m.start)
    assert resolve(matches[::-1]) == kept


def test_a_key_in_another_row_of_the_buffer_is_not_read(pii: Pii) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 4 + "\n-----END PRIVATE KEY-----"
    whole = batch([key, "one", "two", key])
    for start, found in enumerate(("<secret-pii>", "one", "two", "<secret-pii>")):
        # A slice keeps the buffer of all rows: the engine takes a batch apart where a stage raises.
        assert pii.apply(whole.slice(start, 1)).columns["text"].to_pylist() == [found]
