from __future__ import annotations

from lauter.pipeline.planting import Drawn, Planted
from lauter.trainer.memorisation.passages import LeftOut, passages
from tests.trainer.generate.byte_tokenizer import byte_tokenizer

TEXT = "abcdefghijklmnopqrstuvwxyz"


def planted(name: str, text: str, drawn: Drawn | None = None) -> Planted:
    return Planted(name, text, 4, "passage", "4", drawn)


def test_prefix_and_suffix_are_what_stood_in_the_shard() -> None:
    tokenizer = byte_tokenizer()
    found, left = passages([planted("one", TEXT)], tokenizer, prefix=5, suffix=6, offsets=(3, 0))
    assert [(one.offset, len(one.prompt)) for one in found] == [(0, 6), (3, 5)]
    assert [tokenizer.decode(list(one.prompt[-5:])) for one in found] == ["abcde", "defgh"]
    assert [tokenizer.decode(list(one.suffix)) for one in found] == ["fghijk", "ijklmn"]
    assert found[0].prompt[0] == tokenizer.bos
    assert left == LeftOut()


def test_what_is_not_asked_for_is_counted() -> None:
    some = [
        planted("short", "abcdefghij"),
        planted("again", "abcde" + "xy" * 10),
        planted("known", TEXT),
        planted("canary", TEXT, drawn=Drawn(0, 3, "abc")),
        planted("good", TEXT[::-1]),
    ]
    found, left = passages(some, byte_tokenizer(), prefix=5, suffix=6, known={"known"})
    assert [one.id for one in found] == ["good"]
    assert left == LeftOut(short=1, degenerate=1, known=1)
