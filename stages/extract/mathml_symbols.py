"""LaTeX names of characters that mathematics uses: Unicode Technical Report 25 and the tables of `unicode-math`.

Only commands of LaTeX, amsmath and amssymb stand here. A character without one stays as it is.
"""

from __future__ import annotations

_PAIRS = """
α alpha β beta γ gamma δ delta ϵ epsilon ε varepsilon ζ zeta η eta θ theta ϑ vartheta ι iota κ kappa λ lambda μ mu
µ mu ν nu ξ xi π pi ϖ varpi ρ rho ϱ varrho σ sigma ς varsigma τ tau υ upsilon ϕ phi φ varphi χ chi ψ psi ω omega
Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega Ω Omega
∀ forall ∃ exists ∄ nexists ∂ partial ∅ emptyset ∇ nabla ℵ aleph ℏ hbar ℓ ell ℜ Re ℑ Im ℘ wp ∞ infty ∠ angle
± pm ∓ mp × times ÷ div ⋅ cdot · cdot ∗ ast ⋆ star ∘ circ ∙ bullet • bullet ⊕ oplus ⊖ ominus ⊗ otimes ⊘ oslash
⊙ odot † dagger ‡ ddagger ∧ wedge ∨ vee ∩ cap ∪ cup ⊓ sqcap ⊔ sqcup ∖ setminus ≀ wr ⋄ diamond △ triangle
≤ le ≥ ge ≦ leqq ≧ geqq ⩽ leqslant ⩾ geqslant ≪ ll ≫ gg ≺ prec ≻ succ ≠ ne ≡ equiv ≢ not\\equiv ≈ approx ∼ sim
≃ simeq ≅ cong ∝ propto ≐ doteq ≔ coloneqq ⊂ subset ⊃ supset ⊆ subseteq ⊇ supseteq ⊊ subsetneq ∈ in ∉ notin ∋ ni
⊢ vdash ⊣ dashv ⊨ models ⊤ top ⊥ perp ∣ mid ∥ parallel ∤ nmid ∦ nparallel ≲ lesssim ≳ gtrsim
← leftarrow → to ↔ leftrightarrow ⇐ Leftarrow ⇒ Rightarrow ⇔ Leftrightarrow ⟵ longleftarrow ⟶ longrightarrow
⟹ Longrightarrow ⟸ Longleftarrow ⟺ iff ↦ mapsto ⟼ longmapsto ↑ uparrow ↓ downarrow ↕ updownarrow ↗ nearrow ↘ searrow
↪ hookrightarrow ↩ hookleftarrow ⇀ rightharpoonup ⇁ rightharpoondown ⇌ rightleftharpoons
∑ sum ∏ prod ∐ coprod ∫ int ∬ iint ∭ iiint ∮ oint ⋂ bigcap ⋃ bigcup ⋀ bigwedge ⋁ bigvee ⨁ bigoplus ⨂ bigotimes
… dots ⋯ cdots ⋮ vdots ⋱ ddots ⟨ langle ⟩ rangle 〈 langle 〉 rangle ⌊ lfloor ⌋ rfloor ⌈ lceil ⌉ rceil ‖ |
∴ therefore ∵ because □ square ◻ square ∎ blacksquare ¬ neg ′ prime ″ prime\\prime ‴ prime\\prime\\prime √ surd ° circ
\\ backslash
"""
COMMANDS = {key: "\\" + name for key, name in zip(_PAIRS.split()[::2], _PAIRS.split()[1::2], strict=True)}
"""A character to its command."""

ESCAPED = {character: "\\" + character for character in "%#$&_{}"}
"""Characters that LaTeX takes for its own; `^` and `~` stand in operators only and are handled there."""

PLAIN = {"−": "-", "‐": "-", "–": "-", "∶": ":", "∕": "/", "⁄": "/", "⁎": "*", "^": r"\hat{}", "~": r"\sim"}
"""Operators that are written with ASCII."""

UNSEEN = dict.fromkeys(map(ord, "\u200b\u2060\u2061\u2062\u2063\u2064\ufeff"))
"""Invisible operators (function application, times, separator, plus) and joiners, for `str.translate`."""

BIG = set("∑∏∐∫∬∭∮⋂⋃⋀⋁⨁⨂") | {"lim", "max", "min", "sup", "inf", "limsup", "liminf", "argmax", "argmin"}
"""Bases whose scripts are limits: `_` and `^` write them, wherever they are set."""

_FUNCTIONS = """
arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max min Pr
sec sin sinh sup tan tanh
"""
FUNCTIONS = frozenset(_FUNCTIONS.split())
"""Names that have a command of their own."""

OVER = {
    **dict.fromkeys("¯‾―_\u0304\u0305\u00af\u203e−", "overline"),
    **dict.fromkeys("^ˆ\u0302", "hat"),
    **dict.fromkeys("~˜\u0303∼", "tilde"),
    **dict.fromkeys("→⃗⇀\u20d7", "vec"),
    **dict.fromkeys("˙.\u0307", "dot"),
    **dict.fromkeys("¨\u0308", "ddot"),
    **dict.fromkeys("ˇ\u030c", "check"),
    **dict.fromkeys("˘\u0306", "breve"),
    "⏞": "overbrace",
    "︷": "overbrace",
    "←": "overleftarrow",
    "↔": "overleftrightarrow",
}
"""What stands over a base, to the accent's command."""

UNDER = {**dict.fromkeys("_¯‾̲\u0332", "underline"), "⏟": "underbrace", "︸": "underbrace"}
"""What stands under a base, to its command."""

VARIANTS = {
    "bold": "mathbf",
    "bold-italic": "boldsymbol",
    "double-struck": "mathbb",
    "script": "mathcal",
    "bold-script": "mathcal",
    "fraktur": "mathfrak",
    "sans-serif": "mathsf",
    "monospace": "mathtt",
}
"""`mathvariant` (MathML 3, section 3.2.2) to the alphabet's command."""

ALPHABETS = (
    (0x1D400, 52, "mathbf"),
    (0x1D434, 52, ""),
    (0x1D468, 52, "boldsymbol"),
    (0x1D49C, 52, "mathcal"),
    (0x1D4D0, 52, "mathcal"),
    (0x1D504, 52, "mathfrak"),
    (0x1D538, 52, "mathbb"),
    (0x1D5A0, 52, "mathsf"),
    (0x1D670, 52, "mathtt"),
)
"""Alphabets of letters A-Z, a-z in the block Mathematical Alphanumeric Symbols: first code point, length, command."""

LETTERLIKE = {"ℂ": "C", "ℍ": "H", "ℕ": "N", "ℙ": "P", "ℚ": "Q", "ℝ": "R", "ℤ": "Z"}
"""Double-struck capitals that Unicode had before that block."""
