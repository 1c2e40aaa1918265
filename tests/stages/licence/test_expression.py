"""SPDX expressions against a table, and against Python's own `and` and `or`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.licence.expression import Grade, NoExpression, grade, grader
from lauter.stages.licence.lists import known, named

OF = grader(known(), frozenset(named("permissive")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", Grade.ALLOWED),
        ("mit", Grade.ALLOWED),
        (" Apache-2.0 ", Grade.ALLOWED),
        ("Apache-2.0+", Grade.ALLOWED),
        ("GPL-3.0-only", Grade.FORBIDDEN),
        ("GPL-2.0-or-later WITH Classpath-exception-2.0", Grade.FORBIDDEN),
        ("Apache-2.0 WITH LLVM-exception", Grade.ALLOWED),
        ("Apache-2.0 WITH Commons-Clause", Grade.UNKNOWN),
        ("MIT WITH (", Grade.UNKNOWN),
        ("MIT OR GPL-3.0-only", Grade.ALLOWED),
        ("MIT AND GPL-3.0-only", Grade.FORBIDDEN),
        ("GPL-3.0-only OR MIT AND LGPL-2.1-only", Grade.FORBIDDEN),
        ("(GPL-3.0-only or MIT) and ISC", Grade.ALLOWED),
        ("LicenseRef-own", Grade.UNKNOWN),
        ("MIT AND Nobody-1.0", Grade.UNKNOWN),
        ("MIT OR Nobody-1.0", Grade.ALLOWED),
        ("GPL-3.0-only AND Nobody-1.0", Grade.FORBIDDEN),
        ("WTFPL", Grade.FORBIDDEN),
    ],
)
def test_grades(text: str, expected: Grade) -> None:
    assert grade(text, OF) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "MIT License", "MIT AND", "OR MIT", "(MIT", "MIT)", "MIT/Apache-2.0", "(" * 99, "x" * 2000, "()"]
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(NoExpression):
        grade(text, OF)


expressions = st.recursive(
    st.sampled_from(["MIT", "GPL-3.0-only"]),
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda found: f"({' '.join(found)})"),
    max_leaves=12,
)


@given(expressions)
def test_without_unknown_licences_it_is_logic(text: str) -> None:
    logic = text.replace("GPL-3.0-only", "False").replace("MIT", "True").replace("AND", "and").replace("OR", "or")
    assert (grade(text, OF) == Grade.ALLOWED) is eval(logic)


@given(st.text(st.sampled_from("MITANDOR ()+.-wiTH"), max_size=30))
def test_any_text_is_graded_or_refused(text: str) -> None:
    try:
        assert grade(text, OF) in Grade
    except NoExpression as error:
        assert str(error)
