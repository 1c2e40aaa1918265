from __future__ import annotations

import hashlib
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.filter.grams import gram_hash, hashes
from lauter.pipeline.filter.matcher import Matcher
from lauter.pipeline.filter.published import FilterBroken, FilterList, parse, salt_for
from lauter.pipeline.filter.units import LONGEST_GAP, LONGEST_WORD, Units, UnitStream

SALT = salt_for("a lineage")
REMOVED = (
    "The ferryman of Ardlow keeps eleven brass bells, one for each winter that the river froze over; "
    "he rings them all on the longest night. "
    "川沿いの古い工場では毎年冬になると職人たちが銅の釜を磨いて歌をうたう。"
)
LIST = FilterList(SALT, hashes(REMOVED, SALT))


def passed(text: bytes, cuts: list[int] | None = None) -> tuple[bytes, int]:
    """What comes out of text that goes in in pieces, and the number of replaced stretches."""
    matcher = Matcher([LIST])
    places = [0, *sorted(cuts or []), len(text)]
    out = b"".join(matcher.feed(text[a:b]) for a, b in itertools.pairwise(places))
    return out + matcher.finish(), matcher.spans


def said(text: str) -> str:
    return passed(text.encode())[0].decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I saw the ferryman of Ardlow keeps eleven brass bells today", "I saw [removed] today"),
        ("THE FERRYMAN,  of\nardlow -- “keeps” eleven\tBRASS bells!", "[removed]!"),
        ("the ferry\u00adman of Ardlow keeps eleven brass bells", "[removed]"),
        ("the ｆｅｒｒｙｍａｎ of Ardlow keeps eleven brass bells", "[removed]"),
        ("keeps eleven brass bells, one for each", "keeps eleven brass bells, one for each"),
        ("the ferryman of Ardlow keeps twelve brass bells", "the ferryman of Ardlow keeps twelve brass bells"),
        ("古い工場では毎年冬になると職人たち。", "[removed]。"),
        ("「古い工場では、毎年冬になると 職人たち」", "「[removed]」"),
        ("古い工場では毎年冬", "古い工場では毎年冬"),
        ("the longest night 川沿いの古い工場では毎", "[removed]"),
        ("ferryman of Ardlow keeps eleven brass bells one for each winter that", "[removed]"),
    ],
)
def test_a_quote_is_found_however_it_is_written(text: str, expected: str) -> None:
    assert said(text) == expected


def test_a_stretch_between_two_quotes_stays() -> None:
    quote = "keeps eleven brass bells, one for each winter"
    assert said(f"{quote} and {quote}") == "[removed] and [removed]"
    assert said(f"{quote}.\n{quote}") == "[removed].\n[removed]"


TEXT = st.lists(
    st.one_of(
        st.sampled_from(REMOVED.split(" ")),
        st.sampled_from(["keeps eleven brass bells, one for each winter", "古い工場では毎年冬になると職人たちが銅の"]),
        st.text(max_size=8),
        st.sampled_from(["\u00ad", "\u200d", "ﷺ", "ﬁ", "İ", "\u0301", " " * 300, "x" * 700, "釜" * 40, "\n\n", "½"]),
    ),
    max_size=40,
).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(text=TEXT, junk=st.binary(max_size=6), data=st.data())
def test_how_text_is_cut_changes_nothing(text: str, junk: bytes, data: st.DataObject) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    place = data.draw(st.integers(0, len(raw)))
    raw = raw[:place] + junk + raw[place:]
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=12))
    whole = passed(raw)
    assert passed(raw, cuts) == whole
    assert passed(raw, list(range(len(raw)))) == whole
    if not whole[1]:
        assert whole[0] == raw


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400))
def test_what_is_not_listed_passes_byte_for_byte(data: bytes) -> None:
    assert passed(data) == (data, 0)


def test_little_is_held_back_whatever_comes() -> None:
    """Sixteen units with the gap before each, and one word that is not whole."""
    bound = 17 * (LONGEST_GAP + LONGEST_WORD) * 4
    for piece in (b"a", b" ", b"word ", "釜".encode(), b".", "\u0301".encode(), b"\xff", b"a" + b" " * 250):
        matcher, inside, out = Matcher([LIST]), 0, 0
        for _ in range(20_000 // len(piece)):
            inside += len(piece)
            out += len(matcher.feed(piece))
            assert inside - out <= bound
        assert out + len(matcher.finish()) == inside


def test_a_gap_ends_a_gram() -> None:
    first, second = "keeps eleven brass bells", "one for each winter"
    assert said(first + " " * LONGEST_GAP + second).count("[removed]") == 1
    assert said(first + " " * (LONGEST_GAP + 1) + second).count("[removed]") == 0


def test_units_are_found_as_a_plain_reading_finds_them() -> None:
    units = Units()
    UnitStream().feed("Größe, ½ naïve-té 東京 tower ภาษา", units, final=True)
    assert units.texts == ["grösse", "1", "2", "naïve", "té", "東", "京", "tower", "ภ", "า", "ษ", "า"]
    assert units.weights == [2, 2, 2, 2, 2, 1, 1, 2, 1, 1, 1, 1]
    assert gram_hash(b"a b", SALT) == hashlib.blake2b(b"a b", digest_size=8, key=SALT).digest()


def test_a_list_is_read_as_it_was_written_and_holds_no_text() -> None:
    data = json.dumps(LIST.to_json()).encode()
    again = parse(data)
    assert again.salt == SALT and np.array_equal(again.hashes, LIST.hashes)
    assert list(again.hashes) == sorted(set(again.hashes.tolist()))
    assert not any(word.encode() in data for word in ("ferryman", "Ardlow", "bells"))
    for broken in (b"", b"[]", b"{}", data.replace(b'"gram_weight": 16', b'"gram_weight": 15'), data[:-4]):
        with pytest.raises(FilterBroken):
            parse(broken)
    content = {**LIST.to_json(), "count": 3}
    with pytest.raises(FilterBroken, match="not as many"):
        parse(json.dumps(content).encode())


def test_two_corpora_share_no_hash() -> None:
    other = hashes(REMOVED, salt_for("another lineage"))
    assert len(other) == len(LIST.hashes) > 30
    assert not set(other.tolist()) & set(LIST.hashes.tolist())


def test_many_lists_are_looked_up_at_once() -> None:
    salt = salt_for("another lineage")
    other = FilterList(salt, hashes("a wholly different sentence that is on a list of its own", salt))
    matcher = Matcher([LIST, other], "—")
    text = b"A wholly different sentence that is on a list; keeps eleven brass bells, one for each winter."
    assert (matcher.feed(text) + matcher.finish()).decode() == "—; —."


def test_the_command_passes_a_stream_on_as_it_comes(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps(LIST.to_json()))
    command = [str(Path(sys.executable).with_name("lauter")), "filter-output", "--list", str(tmp_path / "list.json")]
    clean = " ".join(random.Random(3).choices(["one", "two", "three", "\n", "vier"], k=60)).encode() + b"\xff\n"
    with subprocess.Popen([*command, "--report"], stdin=-1, stdout=-1, stderr=-1) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(clean)
        process.stdin.flush()
        assert process.stdout.read(len(clean) - 80) == clean[: len(clean) - 80]
        process.stdin.write(b"It keeps eleven brass bells, one for each winter.\r\n")
        process.stdin.close()
        assert process.stdout.read() == clean[len(clean) - 80 :] + b"It [removed].\r\n"
        assert json.loads(process.stderr.read()) == {"spans": 1, "characters": 45}
    assert process.returncode == 0
    missing = subprocess.run([*command[:-1], str(tmp_path / "none.json")], input=b"", capture_output=True)
    assert missing.returncode == 2 and b"none.json" in missing.stderr
