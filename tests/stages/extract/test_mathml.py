from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.extract.mathml import to_latex

TAGS = (
    "mi mn mo mtext mrow mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd mfenced mspace math"
)
PIECES = st.sampled_from(
    [f"<{name}>" for name in TAGS.split()]
    + [f"</{name}>" for name in TAGS.split()]
    + ["x", "&sum;", "&lt;", "{", "<", " "]
)


@pytest.mark.parametrize(
    ("source", "latex"),
    [
        ("<mi>x</mi><mo>=</mo><mn>1.5</mn>", "x=1.5"),
        ("<mi>α</mi><mi>x</mi>", r"\alpha x"),
        ("<mi>sin</mi><mi>x</mi>", r"\sin x"),
        ("<mi>rate</mi>", r"\mathrm{rate}"),
        (
            "<mi mathvariant='double-struck'>R</mi><mi>ℝ</mi><mi>𝐱</mi><mi>𝛼</mi>",
            r"\mathbb{R}\mathbb{R}\mathbf{x}\alpha",
        ),
        ("<mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow></mfrac>", r"\frac{a}{b+1}"),
        ("<mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac>", r"{n \atop k}"),
        ("<msqrt><mi>a</mi><mi>b</mi></msqrt><mroot><mi>x</mi><mn>3</mn></mroot>", r"\sqrt{ab}\sqrt[3]{x}"),
        ("<msub><mi>x</mi><mn>1</mn></msub><msup><mi>y</mi><mn>2</mn></msup>", "x_{1}y^{2}"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>", "x_{i}^{2}"),
        ("<msup><msup><mi>x</mi><mi>a</mi></msup><mi>b</mi></msup>", "{x^{a}}^{b}"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>", r"\sum_{i=1}^{n}"),
        ("<munder><mi>lim</mi><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder>", r"\lim_{x\to0}"),
        ("<mover><mi>x</mi><mo>¯</mo></mover><mover><mi>v</mi><mo>→</mo></mover>", r"\overline{x}\vec{v}"),
        ("<mover><mo>=</mo><mtext>def</mtext></mover>", r"\overset{\text{def}}{=}"),
        ("<munder><munder><mi>x</mi><mo>⏟</mo></munder><mi>n</mi></munder>", r"\underbrace{x}_{n}"),
        ("<mtext>if 5 % of x_1</mtext>", r"\text{if 5 \% of x\_1}"),
        ("<mfenced open='[' close=')' separators=';'><mi>a</mi><mi>b</mi></mfenced>", r"\left[ a;b\right)"),
        ("<mfenced open='{' close=''><mi>a</mi></mfenced>", r"\left\{ a\right."),
        (
            "<mtable><mtr><mtd><mi>a</mi></mtd><mtd><mi>b</mi></mtd></mtr><mtr><mtd></mtd><mtd><mn>1</mn></mtd></mtr></mtable>",
            r"\begin{matrix}a & b \\  & 1\end{matrix}",
        ),
        (
            "<mmultiscripts><mi>C</mi><mi>k</mi><none/><mprescripts/><mi>n</mi><none/></mmultiscripts>",
            "{}_{n}C_{k}",
        ),
        ("<mi>f</mi><mo>&ApplyFunction;</mo><mo>(</mo><mi>x</mi><mo>)</mo>", "f(x)"),
        ("<menclose notation='box'><mi>x</mi></menclose><mphantom><mi>y</mi></mphantom>", r"\boxed{x}\phantom{y}"),
        ("<mi>a</mi><mspace width='1em'/><mi>b</mi>", r"a\quad b"),
        ("<semantics><mi>a</mi><annotation encoding='x'>b</annotation></semantics>", "a"),
        ("<m:mrow><m:mi>a</m:mi><m:mo>&#8804;</m:mo></m:mrow>", r"a\le"),
        ("<mrow><mi>a</mi><mfrac><mi>b</mi></mrow>", "ab"),
        ("", ""),
    ],
)
def test_elements(source: str, latex: str) -> None:
    assert to_latex(f"<math>{source}</math>") == latex


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_markup_becomes_balanced_latex(source: str) -> None:
    latex = to_latex(source).replace("\\\\", "").replace(r"\{", "").replace(r"\}", "")
    assert latex.count("{") == latex.count("}")


def test_depth_costs_no_recursion() -> None:
    assert to_latex("<mrow>" * 5000 + "<mi>x</mi>" + "</mrow>" * 5000) in ("x", "")
