"""A sheet for a chart: shapes and words in the colours of the report, light or dark as the reader has it."""

from __future__ import annotations

from html import escape
from typing import Literal

Tone = Literal["ink", "soft", "line", "faint", "good", "band", "warn", "other", "bad"]
"""Colours by what they say; each has one value on white and one on black."""

Anchor = Literal["start", "middle", "end"]

_STYLE = """
svg{background:#fcfcfa;font:12px/1.4 system-ui,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
.ink{--c:#1d2327}.soft{--c:#5d676d}.line{--c:#dfe1dd}.faint{--c:#f2f3ef}
.good{--c:#1f7f72}.band{--c:#a9d2c9}.warn{--c:#b97b14}.other{--c:#5f78c2}.bad{--c:#b5403a}
.fill{fill:var(--c)}.stroke{stroke:var(--c);fill:none}text{fill:var(--c);font-variant-numeric:tabular-nums}
.title{font-size:15px;font-weight:640}
@media (prefers-color-scheme:dark){svg{background:#15191b}
.ink{--c:#e3e6e4}.soft{--c:#98a3a6}.line{--c:#2d3437}.faint{--c:#1d2325}
.good{--c:#4fb9a6}.band{--c:#2f6a61}.warn{--c:#d6a247}.other{--c:#8ea4e6}.bad{--c:#e2776d}}
""".replace("\n", "")


class Sheet:
    """Collects shapes; `text` is the whole drawing. Coordinates are pixels from the upper left corner."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._size = (width, height)
        self._title = title
        self._shapes: list[str] = []
        self.write(16, 26, title, extra="title")

    def write(
        self, x: float, y: float, words: str, tone: Tone = "ink", anchor: Anchor = "start", extra: str = ""
    ) -> None:
        """Put words with their base line at y."""
        name = f"{tone} {extra}".strip()
        self._shapes.append(
            f'<text class="{name}" x="{number(x)}" y="{number(y)}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def upright(self, x: float, y: float, words: str, tone: Tone = "ink") -> None:
        """Put words that are read from below, ending at (x, y)."""
        self._shapes.append(
            f'<text class="{tone}" transform="translate({number(x)} {number(y)}) rotate(-90)" text-anchor="start">'
            f"{escape(words)}</text>"
        )

    def box(
        self, x: float, y: float, width: float, height: float, tone: Tone, opacity: float = 1, tip: str = ""
    ) -> None:
        """Fill a rectangle; `tip` is shown where a pointer rests on it."""
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        seen = "" if opacity == 1 else f' fill-opacity="{number(opacity)}"'
        self._shapes.append(
            f'<rect class="{tone} fill" x="{number(x)}" y="{number(y)}" width="{number(width)}"'
            f' height="{number(height)}"{seen}>{inside}</rect>'
        )

    def path(self, points: list[tuple[float, float]], tone: Tone, width: float = 1) -> None:
        """Draw a line through points."""
        way = "L".join(f"{number(x)} {number(y)}" for x, y in points)
        self._shapes.append(f'<path class="{tone} stroke" stroke-width="{number(width)}" d="M{way}"/>')

    def dot(self, x: float, y: float, radius: float, tone: Tone, tip: str = "") -> None:
        """Fill a circle."""
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        self._shapes.append(
            f'<circle class="{tone} fill" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}">{inside}</circle>'
        )

    def text(self) -> str:
        """The drawing, an SVG 1.1 document: equal shapes, equal text."""
        width, height = map(number, self._size)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="img" aria-label="{escape(self._title)}"><style>{_STYLE}</style>\n'
            + "\n".join(self._shapes)
            + "\n</svg>\n"
        )


def number(value: float) -> str:
    """A coordinate with two decimals at most.

    >>> number(3), number(2.504), number(-0.0)
    ('3', '2.5', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
