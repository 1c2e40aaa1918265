"""Files of probes in both formats, and what is said of those that cannot be used."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.read.probes.canaries import CanaryEntry, canary
from lauter.stages.read.probes.entries import byte_offsets, probes_of

YAML = """\
# planted for the ablation
probes:
  - {id: essay, text: "Grüße aus Zürich", repetitions: 3, kind: passage, bucket: essays}
  - id: control
    text: |
      two lines
      of text
    repetitions: 0
canaries:
  - {bucket: secrets, count: 2, repetitions: 4, length: 9, alphabet: "0123456789", form: "The number is {}.", seed: 7}
"""


def test_yaml_has_probes_and_canaries() -> None:
    content = YAML.encode()
    essay, control, *secrets = probes_of(content)
    assert essay[:5] == ("essay", "Grüße aus Zürich", 3, "passage", "essays")
    assert control[:5] == ("control", "two lines\nof text\n", 0, "passage", "passage-0")
    assert content[essay.start : essay.end].decode().startswith("{id: essay, text: ")
    assert [probe[0] for probe in secrets] == ["secrets:1", "secrets:2"]
    assert {probe[2:5] for probe in secrets} == {(4, "canary", "secrets")}
    entry = CanaryEntry(bucket="secrets", count=2, length=9, alphabet="0123456789", form="The number is {}.", seed=7)
    assert [probe.text for probe in secrets] == [canary(entry, 1), canary(entry, 2)]
    assert secrets[0].text != secrets[1].text and len(secrets[0].text) == len("The number is .") + 9


def test_lines_have_the_same_probes() -> None:
    probes = [{"id": "a", "text": "Grüße", "repetitions": 2}, {"id": "b", "text": "x", "kind": "k", "bucket": "own"}]
    content = "\ufeff" + "\n\n".join(json.dumps(probe, ensure_ascii=False) for probe in probes) + "\n"
    found = probes_of(content.encode())
    assert [probe[:5] for probe in found] == [("a", "Grüße", 2, "passage", "passage-2"), ("b", "x", 1, "k", "own")]
    lines = [content.encode()[probe.start : probe.end] for probe in found]
    assert [json.loads(line) for line in lines] == probes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected a mapping"),
        (b"# nothing\n", "expected a mapping"),
        (b"- a\n", "expected a mapping"),
        (b"probes: {a: b}\n", "line 1: `probes` is a list"),
        (b"probes: []\n", "holds no probe"),
        (b"probe: []\n", "line 1: unknown key 'probe'; valid are `probes` and `canaries`"),
        (b"probes:\n  - {id: a, text: x}\n  - {id: a, text: y}\n", "line 3: this id stands in line 2 already: 'a'"),
        (b"probes:\n  - {id: a, text: x}\n  - {id: b, text: x}\n", "line 3: this text stands in line 2 already: 'x'"),
        (b"probes:\n  - {id: a, text: ' '}\n", "line 2: text: a probe needs a text"),
        (b"probes:\n  - {id: a, text: x, repetitions: -1}\n", "line 2: repetitions: "),
        (b"probes:\n  - {id: a, text: x, times: 1}\n", "line 2: times: "),
        (b"probes:\n  - x\n", "line 2: "),
        (b"probes: [\n", "no valid YAML"),
        (
            b"canaries:\n  - {bucket: c, count: 40, length: 1}\n",
            "'; `length` 1 and 36 characters in `alphabet` make too few texts to draw from: raise one or both",
        ),
        (b"canaries:\n  - {bucket: c, count: 2, form: none}\n", "line 2: form: has one {}"),
        (
            b"canaries:\n  - {bucket: c, count: 2, alphabet: aa}\n",
            "line 2: alphabet: has a character twice",
        ),
        (b'canaries:\n  - {bucket: c, count: 2, form: "\\ud800 {}"}\n', "line 2: the text has half a surrogate pair"),
        (b'canaries:\n  - {bucket: c, count: 1, alphabet: " \\t"}\n', "line 2: a probe needs a text"),
        (b'{"id": "a", "text": "x"}\n{"id"\n', "line 2: no JSON: "),
        (b'{"id": "a", "text": "\\ud800"}\n', "line 1: text: the text has half a surrogate pair"),
        (b'{"id": "a", "text": "x"}\n\xff', "line 2: not UTF-8"),
    ],
)
def test_what_cannot_be_used_is_said(content: bytes, said: str) -> None:
    with pytest.raises(ValueError) as error:
        probes_of(content)
    assert said in str(error.value)


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=8))
def test_bytes_before_a_place(text: str, places: list[int]) -> None:
    for wanted in (places, sorted(places)):
        assert list(byte_offsets(text, wanted)) == [len(text[:place].encode()) for place in wanted]


def test_each_item_of_a_long_file_has_its_own_bytes() -> None:
    items = [f"{{id: n{number}, text: grüße-{number}}}" for number in range(200)]
    content = ("\ufeff# ü\nprobes:\n" + "".join(f"  - {item}\n" for item in items)).encode()
    assert [content[probe.start : probe.end].decode() for probe in probes_of(content)] == items
