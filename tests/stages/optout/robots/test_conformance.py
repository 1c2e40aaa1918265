"""Test suites of other parsers, through `lauter optout check --batch`: where we differ, and why."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from lauter.stages.optout.cli import app
from tests.stages.optout.robots.reference import CODES, RFC, code_of

# Of 1,358 vectors. The suites' own reasons, and why RFC 9309 has it otherwise, are in docs/compliance.md.
DIFFERENCES = {
    "AGENT-NAME": 7,
    "ESCAPES": 6,
    "INDEX-HTML": 5,
    "ROBOTS-TXT": 4,
    "OTHER-RECORDS": 3,
    "FIRST-MATCH": 2,
    "WILDCARDS": 2,
    "TARGET": 1,
    "LINE-SYNTAX": 1,
}


def body_of(row: dict[str, Any]) -> bytes:
    if "robots_b64" in row:
        return base64.b64decode(row["robots_b64"])
    return str(row["robots"]).encode("utf-8", "surrogatepass")


def test_every_difference_from_a_suite_has_a_code(data: Path) -> None:
    file = data / "robots" / "conformance_public.jsonl"
    vectors = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    result = CliRunner().invoke(app, ["check", "--batch", str(file)])
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [vector["id"] for vector in vectors]
    codes: Counter[str] = Counter()
    for vector, answer in zip(vectors, answers, strict=True):
        body, names, url = body_of(vector), [vector["agent"]], vector["full_url"]
        # A reader written from the RFC alone says the same of every vector, whatever the suites say.
        assert answer["allowed"] == RFC.allows(body, names, url), vector["id"]
        assert (answer["line"] is None) <= answer["allowed"], vector["id"]
        if answer["allowed"] != vector["allowed"]:
            code = code_of(body, names, url, allowed=vector["allowed"])
            assert code is not None, (vector["id"], body, names, url)
            codes[code] += 1
            # The RFC's own test of escapes, as Google's C++ has it: it asks the caller to escape first.
            assert "rfc9309" not in vector["tags"] or code == "ESCAPES", vector["id"]
    assert dict(codes) == DIFFERENCES


def test_the_list_of_codes_is_the_documented_one() -> None:
    text = (Path(__file__).parents[4] / "docs" / "compliance.md").read_text("utf-8")
    section = text.partition("\n### Codes\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    counts = {code.strip().strip("`"): int(vectors) for code, vectors in rows}
    assert len(CODES) <= 10
    assert counts == {code: DIFFERENCES.get(code, 0) for code in CODES}
