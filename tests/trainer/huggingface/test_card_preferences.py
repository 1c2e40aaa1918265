"""What a card says of preferences."""

from __future__ import annotations

from lauter.trainer.huggingface.card_preferences import is_preferences, preferences_told


def test_all_parents_are_named() -> None:
    said = {
        "name": "preferences",
        "root": "a" * 64,
        "reference": {"checkpoint": "step-7", "files_sha256": "b" * 64},
        "prompts": [{"name": "some.jsonl", "sha256": "c" * 64}],
        "reward": {"judge": {"model": "big", "charter_sha256": "d" * 64}},
        "counts": {"pairs": 12345, "prompts": 99, "completions": 990},
        "tokenizer": {"sha256": "e" * 64},
    }
    assert is_preferences(said)
    assert not is_preferences({"name": "corpus", "root": "a" * 64})
    told = "\n".join(preferences_told(said))
    for part in ("12,345", "judge big", "some.jsonl | cccc", "step-7, bbbb", "aaaa", "eeee"):
        assert part in told
