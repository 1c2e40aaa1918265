"""Pages of invented sites with a main text, alike enough for a rule to learn them."""

from __future__ import annotations

from lauter.stages.extract.blocks.training.truth import Page

_WORDS = "river stone lamp harbour winter garden letter bridge mountain window".split()  # noqa: SIM905


def sentence(number: int, length: int = 14) -> str:
    words = [_WORDS[(number * 7 + place * (number % 3 + 1)) % len(_WORDS)] for place in range(length)]
    return " ".join(words).capitalize() + f", it is said of number {number}."


def made_page(number: int) -> Page:
    text = [sentence(10 * number + line, 12 + line) for line in range(5)]
    menu = "".join(f"<li><a href=/{item}>Menu {item}</a></li>" for item in range(8))
    body = "".join(f"<p>{line}</p>" for line in text)
    html = (
        f"<html><head><title>Page {number}</title></head><body><nav class='site-menu'><ul>{menu}</ul></nav>"
        f"<div class='post-content'><h1>Of number {number}</h1>{body}</div>"
        f"<footer class='site-footer'><p>Copyright {number} by nobody</p><a href=/imprint>Imprint</a></footer>"
    )
    return Page(f"made/{number}", "made", f"site{number}.example", "en", "article", html.encode(), "\n".join(text))
