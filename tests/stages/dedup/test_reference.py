"""The stage and its plain-Python twin: same items, same edges, in any order and any cutting."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.dedup.config import DedupConfig, MinHashConfig
from lauter.stages.dedup.stage import Dedup
from tests.stages.dedup.joined import Joined, batch_of, join
from tests.stages.dedup.reference import Document, Signature, candidates_plainly, choose, edges_plainly, kept

COLUMNS = ("language", "source", "url", "payload_hash")
WORDS = [f"{first}{second}" for first in "bdfgklmnprst" for second in ("a", "e", "i", "o", "u", "ai", "ou", "ei")]


def text_of(seed: int, words: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def changed(text: str, seed: int, places: int) -> str:
    draw = random.Random(seed)
    words = text.split()
    for _ in range(places):
        words[draw.randrange(len(words))] = draw.choice(WORDS)
    return " ".join(words)


@st.composite
def documents(draw: st.DrawFn) -> list[Document]:
    """A few documents, some of them changed copies of others, with ties in all that is preferred."""
    texts: list[str | None] = [None, "", "two words"]
    for _ in range(draw(st.integers(1, 10))):
        if draw(st.booleans()):
            texts.append(text_of(draw(st.integers(0, 3)), 60))
        else:
            texts.append(
                changed(text_of(draw(st.integers(0, 3)), 60), draw(st.integers(0, 9)), draw(st.integers(1, 4)))
            )
    return [
        Document(
            doc_id=number.to_bytes(16, "big"),
            text=draw(st.sampled_from(texts)),
            language=draw(st.sampled_from(["deu_Latn", "fra_Latn", None])),
            source=draw(st.sampled_from(["a", "b"])),
            url=draw(st.sampled_from([None, "", "http://a/", "https://A/", "http://b/"])),
            payload_hash=draw(st.sampled_from([None, 0, 7])),
            priority=draw(st.integers(0, 1)),
            fetched_at=draw(st.sampled_from([None, 1, 2])),
            scores={"toxicity": draw(st.sampled_from([None, 1, 2]))},
        )
        for number in draw(st.lists(st.integers(0, 1000), max_size=14, unique=True))
    ]


configs = st.sampled_from(
    [
        DedupConfig(),
        DedupConfig(exact=("text", "url", "payload"), per_language=True),
        DedupConfig(exact=(), minhash=MinHashConfig(bands=20, rows=4, ngram_words=3, threshold=0.6)),
        DedupConfig(exact=("url",), minhash=None, per_source=True),
    ]
)


def joined(config: DedupConfig, found: Sequence[Document], sizes: Sequence[int]) -> Joined:
    """The stage over some documents in batches of given sizes."""
    batches = []
    rest = list(found)
    for size in [*sizes, len(rest)]:
        taken, rest = rest[:size], rest[size:]
        columns = {
            name: [getattr(one, name) for one in taken] for name in ("language", "source", "url", "payload_hash")
        }
        batches.append(batch_of([one.text for one in taken], **columns))
    return join(Dedup(config), batches)


def numbered(values: Iterable[object]) -> list[int | None]:
    """Each value as the number of its first appearance, so that hashes can be compared with what they stand for."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(value, len(numbers)) if value else None for value in values]


@settings(deadline=None)  # the first call compiles
@given(documents(), configs)
def test_items_identities_pairs_and_edges_equal_plain_python(found: list[Document], config: DedupConfig) -> None:
    stage = joined(config, found, [])
    plain = [Signature(document, config) for document in found]
    assert numbered(stage.item.tolist()) == numbered(one.item for one in plain)
    for one, item in zip(plain, stage.item.tolist(), strict=True):
        assert one.item == item or not isinstance(one.item, int)
    for column, kind in enumerate(Dedup.identities):
        values = [next((found for found in one.identities if found[1] == kind), None) for one in plain]
        assert numbered(stage.identities[:, column].tolist()) == numbered(values)
    assert stage.pairs == candidates_plainly(plain)
    assert stage.edges == edges_plainly(plain, config.minhash)


@settings(deadline=None)  # the first call compiles
@given(documents(), configs, st.randoms(), st.lists(st.integers(0, 5), max_size=4))
def test_any_order_and_any_cutting_have_the_same_edges(
    found: list[Document], config: DedupConfig, draw: random.Random, sizes: list[int]
) -> None:
    expected = joined(config, found, [])
    shuffled = list(found)
    draw.shuffle(shuffled)
    again = joined(config, shuffled, sizes)
    assert again.edges == expected.edges
    assert again.pairs == expected.pairs
    by_id = dict(zip([one.doc_id for one in found], expected.item.tolist(), strict=True))
    assert [by_id[one.doc_id] for one in shuffled] == again.item.tolist()
    assert kept(shuffled, config) == kept(found, config)


def test_the_choice_is_greedy_in_the_order_of_preference() -> None:
    """b is a near copy of a and of c, which are none of each other: both ends of the chain stay, or the middle."""
    words = text_of(1, 100).split()
    a, b, c = (" ".join([*words[start : start + 88], f"end{'abc'[start // 6]}"]) for start in (0, 6, 12))
    chain = [
        Document(b"a", a, fetched_at=1),
        Document(b"b", b, fetched_at=2),
        Document(b"c", c, fetched_at=3, url="http://same/"),
        Document(b"d", "another text of six words", fetched_at=4, url="https://same/"),
        Document(b"e", "another text of six words", fetched_at=None),
    ]
    near = MinHashConfig(bands=50, rows=2)
    assert kept(chain, DedupConfig(minhash=near)) == {b"a", b"c", b"d"}
    assert kept(chain, DedupConfig(minhash=near, exact=("text", "url"))) == {b"a", b"c", b"e"}
    assert kept(chain, DedupConfig(minhash=near, prefer=("newest",))) == {b"a", b"c", b"d"}
    middle = [*chain[:1], Document(b"b", b, fetched_at=0), *chain[2:]]
    assert kept(middle, DedupConfig(minhash=near)) == {b"b", b"d"}
    # What an older corpus has kept stays, though it be a copy and the last to be preferred.
    assert kept(chain, DedupConfig(minhash=near), settled={b"b", b"e"}) == {b"b", b"e"}
    assert kept(chain, DedupConfig(minhash=near), settled={b"a", b"b"}) == {b"a", b"b", b"d"}


@pytest.mark.parametrize(("size", "words"), [(12, 1), (40, 1), (40, 3)])
def test_a_large_group_of_copies_has_one_that_stays(size: int, words: int) -> None:
    """Their buckets have two hubs only, and what is preferred is none of them: the second round finds the others."""
    original = text_of(7, 300)
    group = [Document(bytes([n]), changed(original, n, words)) for n in range(size)]
    signatures = {document.doc_id: Signature(document, DedupConfig()) for document in group}
    neighbours: dict[object, set[object]] = defaultdict(set)
    for one, two in edges_plainly([*signatures.values()], MinHashConfig()):
        neighbours[one].add(two)
        neighbours[two].add(one)
    assert len(choose(group, signatures, neighbours).kept) > 1
    assert kept(group, DedupConfig()) == {bytes([0])}
