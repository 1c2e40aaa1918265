from __future__ import annotations

import pytest
import torch

from lauter.trainer.batch import Bounds
from lauter.trainer.evaluate.likelihood import Request, likelihoods, request
from lauter.trainer.model.apertus import Apertus
from tests.trainer.generate.byte_tokenizer import byte_tokenizer
from tests.trainer.huggingface.small import model


@pytest.fixture(scope="module")
def small() -> Apertus:
    return model()


def plain(small: Apertus, one: Request) -> tuple[float, bool]:
    """One sequence alone, from its logits."""
    ids = torch.tensor([*one.context, *one.continuation])
    with torch.no_grad():
        positions = torch.arange(len(ids) - 1, dtype=torch.int32)
        logits = small(ids[:-1], positions, Bounds.of([len(ids) - 1]))[len(one.context) - 1 :]
    due = ids[len(one.context) :]
    log = logits.log_softmax(-1).gather(1, due[:, None]).sum()
    return float(log), bool((logits.argmax(-1) == due).all())


def test_a_batch_gives_what_each_sequence_gives_alone(small: Apertus) -> None:
    generator = torch.Generator().manual_seed(2)
    some = []
    for length, given in ((9, 3), (30, 29), (4, 1), (12, 6), (9, 8)):
        ids = torch.randint(20, 250, (length,), generator=generator).tolist()
        some.append(Request(ids[:given], ids[given:]))
    # One whose continuation is the likeliest there is.
    with torch.no_grad():
        prompt = some[0].context
        logits = small(torch.tensor(prompt), torch.arange(3, dtype=torch.int32), Bounds.of([3]))
    some.append(Request(prompt, [int(logits[-1].argmax())]))
    for tokens in (1, 20, 1000):
        found = likelihoods(small, some, tokens=tokens)
        for one, due in zip(found, (plain(small, one) for one in some), strict=True):
            assert one.log == pytest.approx(due[0], abs=1e-4)
            assert one.greedy == due[1]
    assert found[-1].greedy


def test_a_continuation_begins_where_the_ids_differ() -> None:
    tokenizer = byte_tokenizer()
    # "é " is one id, "é" another: with the space it is the continuation's.
    one = request(tokenizer, "caf\u00e9", " noir")
    assert tokenizer.decode([*one.context[1:]]) == "caf"
    assert tokenizer.decode([*one.continuation]) == "\u00e9 noir"
    assert [*one.context, *one.continuation] == tokenizer.encode("caf\u00e9 noir")
    assert len(request(tokenizer, "all", "").continuation) == 1


def test_nothing_to_predict_is_an_error(small: Apertus) -> None:
    with pytest.raises(ValueError, match="request 2 has no context or no continuation"):
        likelihoods(small, [Request([1], [2]), Request([], [2])])
