"""KL divergence and quantile rewards by sampling, against what they are."""

from __future__ import annotations

import pytest
import torch

from lauter.chat.conversation import Conversation, UserTurn
from lauter.trainer.batch import Bounds
from lauter.trainer.config.preference import ReferencesSection
from lauter.trainer.preference.encoding import Speech
from lauter.trainer.preference.measure import Measured, measure
from lauter.trainer.preference.sampling import drawn
from tests.trainer.generate.byte_tokenizer import FIRST_BYTE, byte_tokenizer
from tests.trainer.preference.world import small_model

SECTION = ReferencesSection(completions=8, new_tokens=12, batch=4)
ASKED = [Conversation((UserTurn(f"q{number}"),), "s") for number in range(4)]
SPEECH = Speech(byte_tokenizer())


def letters(_conversation: Conversation, answers: list[str] | tuple[str, ...]) -> list[float]:
    return [float(answer.count("a")) + len(answer) / 100 for answer in answers]


def measured(boost: float) -> Measured:
    """Of a model that says "a" more often, by e^(5.6 x boost)."""
    model, reference = small_model(), small_model()
    with torch.no_grad():
        model.lm_head.weight[FIRST_BYTE + ord("a"), 0] += boost
    return measure(model, reference, SPEECH, ASKED, letters, SECTION, seed=3)  # type: ignore[arg-type]


def test_a_model_is_at_no_distance_from_itself() -> None:
    found = measured(0.0)
    assert (found.kl, found.kl_error) == (0.0, 0.0)
    assert (found.prompts, found.completions) == (4, 32)
    # 1/2, and more by ties and by 1/n.
    assert 0.35 < found.quantile < 0.75
    assert abs(found.quantile - found.quantile_before) < 0.2


def test_what_a_model_says_more_often_is_won_and_paid_for() -> None:
    found = measured(0.45)
    assert found.quantile > found.quantile_before + 0.1
    assert found.reward > found.reward_before
    assert 0.3 < found.kl < 5


def test_completions_are_drawn_from_the_models_themselves() -> None:
    model, cold = small_model(), SECTION.model_copy(update={"temperature": 0.1, "top_p": 0.5})
    of = [measure(model, model, SPEECH, ASKED[:1], letters, one, seed=3) for one in (SECTION, cold)]  # type: ignore[arg-type]
    assert of[0] == of[1]


def test_the_log_ratios_are_those_of_whole_logits() -> None:
    """KL of a step of one token, from both distributions themselves."""
    section = ReferencesSection(completions=200, new_tokens=1, batch=1)
    model, reference = small_model(), small_model()
    with torch.no_grad():
        model.lm_head.weight[FIRST_BYTE + ord("a"), 0] += 0.3
    prompt = SPEECH.prompt(ASKED[0])
    with torch.no_grad():
        bounds, places = Bounds.of([len(prompt)]), torch.arange(len(prompt), dtype=torch.int32)
        both = [one(torch.tensor(prompt), places, bounds)[-1].double().log_softmax(0) for one in (model, reference)]
    exact = float((both[0].exp() * (both[0] - both[1])).sum())
    found = measure(model, reference, SPEECH, ASKED[:1], letters, section, seed=3)  # type: ignore[arg-type]
    assert abs(found.kl - exact) < 4 * found.kl_error
    (said,) = drawn(model, SPEECH, [prompt], section, 3)
    tokens = torch.tensor([one.ids[0] for one in said])
    assert found.kl == pytest.approx(float((both[0] - both[1])[tokens].mean()), abs=1e-5)
