from __future__ import annotations

from lauter.stages.language.training.noise import noise_lines


def test_lines_are_a_function_of_the_seed() -> None:
    assert list(noise_lines(6, 60)) == list(noise_lines(6, 60))
    assert list(noise_lines(6, 60))[:30] == list(noise_lines(6, 30))
    assert list(noise_lines(6, 60)) != list(noise_lines(7, 60))


def test_every_kind_is_made() -> None:
    lines = list(noise_lines(6, 600))
    assert len(set(lines)) > 590
    assert any("https://" in line for line in lines)
    assert any(set(line) <= set("0123456789abcdef ") and len(line) > 20 for line in lines)
    assert any("=" in line or "+" in line for line in lines)
    assert all(line.strip() == line and line for line in lines)
