from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from lauter.stages.language.training.gather import KeptOut, gather, normalised, read_inputs, read_kept_out

NOTHING = KeptOut({}, {}, frozenset())
SHIPPED = Path(__file__).parents[4] / "stages" / "language" / "models" / "embedded" / "inputs.tsv"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def gathered(tmp_path: Path, row: str, kept_out: KeptOut = NOTHING, own: Path | None = None) -> dict[str, list[str]]:
    put(tmp_path / "inputs.tsv", f"# source, path, label, licence\n{row}\n")
    collections = {row.partition("\t")[0]: tmp_path / "from", **({"lines": own} if own else {})}
    gather(tmp_path / "inputs.tsv", collections, kept_out, tmp_path / "out", noise=12)
    return {path.name: path.read_text("utf-8").splitlines() for path in sorted((tmp_path / "out").iterdir())}


def test_counts_of_unilex_are_scaled_to_its_corpus_and_the_declaration_is_subtracted(tmp_path: Path) -> None:
    put(
        tmp_path / "from" / "gsw.txt",
        "Form\tFrequency\n# Corpus-Size: 2000000\n\nUnd\t500000000\nund\t1000000\nMänsch\t30000\n1234\t9\na b\t5\n",
    )
    kept_out = read_kept_out([("gsw_Latn", "Mänsch mänsch und")], [("gsw_Latn", "sälte")], [])
    found = gathered(tmp_path, "unilex\tgsw.txt\tgsw_Latn\tx", kept_out)
    assert found == {"gsw_Latn.words": ["unilex\tund\t1001999", "unilex\tmänsch\t58"]}


def test_a_small_corpus_of_unilex_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "from" / "gsw.txt", "# Corpus-Size: 1000\nund\t500000000\n")
    assert gathered(tmp_path, "unilex\tgsw.txt\tgsw_Latn\tx") == {}


def test_lists_of_fineweb2_have_counts_by_rank_and_stop_words_a_third(tmp_path: Path) -> None:
    put(tmp_path / "from" / "lists" / "gsw_Latn.txt", "isch\ngsi\nzwei wort\n")
    put(tmp_path / "from" / "configs" / "gsw_Latn.yml", "stopwords: [und, isch]\n")
    rows = [
        line.split("\t") for line in gathered(tmp_path, "fw2_words\tlists/gsw_Latn.txt\tgsw_Latn\tx")["gsw_Latn.words"]
    ]
    counts = {word: int(count) for _, word, count in rows}
    assert list(counts) == ["isch", "gsi", "und"]
    assert sum(counts.values()) == pytest.approx(10**6, rel=1e-4)
    assert counts["und"] == pytest.approx(350_000 * (1 / 5) / (1 / 5 + 1 / 6), rel=1e-4)


def test_headwords_are_those_in_the_script_of_the_label(tmp_path: Path) -> None:
    put(tmp_path / "from" / "sr", "Кућа\nkuća\n-ица\nдве речи\n")
    found = gathered(tmp_path, "wiktionary\tsr\tsrp_Cyrl\tx")["srp_Cyrl.words"]
    assert found == [f"wiktionary\t{word}\t1" for word in ("две", "кућа", "речи")]


def test_words_of_wordfreq_have_the_frequency_of_their_list(tmp_path: Path) -> None:
    msgpack = pytest.importorskip("msgpack")
    (tmp_path / "from").mkdir()
    with gzip.open(tmp_path / "from" / "large_de.msgpack.gz", "wb") as file:
        msgpack.dump([{"format": "cB"}, [], *[[]] * 99, ["und"], *[[]] * 99, ["Haus", "дом"]], file)
    found = gathered(tmp_path, "wordfreq\tlarge_de.msgpack.gz\tdeu_Latn\tx")["deu_Latn.words"]
    assert found == ["wordfreq\tund\t100000000", "wordfreq\thaus\t10000000"]


def test_blocks_of_verses_are_left_out_and_so_are_lines_of_tests(tmp_path: Path) -> None:
    names = ("".join("abcdefghij"[int(digit)] for digit in str(place)) for place in range(300))
    put(tmp_path / "from" / "v.txt", "".join(f"Dieser Vers hat den Namen {name}\n" for name in names))
    whole = gathered(tmp_path, "ebible_open\tv.txt\tdeu_Latn\tx")["deu_Latn.txt"]
    assert 240 < len(whole) < 300
    one = whole[0].partition("\t")[2]
    (tmp_path / "again").mkdir()
    put(tmp_path / "again" / "from" / "v.txt", (tmp_path / "from" / "v.txt").read_text())
    less = gathered(tmp_path / "again", "ebible_open\tv.txt\tdeu_Latn\tx", read_kept_out([], [], [one.upper()]))
    assert less["deu_Latn.txt"] == whole[1:]


def test_words_of_tests_are_left_out_and_own_lines_are_taken_but_not_those_of_the_declaration(tmp_path: Path) -> None:
    put(tmp_path / "from" / "sr", "кућа\nречи\n")
    lines = ["mediawiki\tОва страница је закључана", "udhr\tСва људска бића рађају се", "mediawiki\tкратко"]
    put(tmp_path / "own" / "srp_Cyrl.txt", "\n".join([*lines, "wiktionary\tреч која је већ у списку", ""]))
    put(tmp_path / "own" / "zxx_Zzzz.txt", "noise\tx y z q w v k\n")
    kept_out = read_kept_out([], [("srp_Cyrl", "речи")], [])
    found = gathered(tmp_path, "wiktionary\tsr\tsrp_Cyrl\tx", kept_out, tmp_path / "own")
    assert found["srp_Cyrl.words"] == ["wiktionary\tкућа\t1"]
    assert found["srp_Cyrl.txt"] == ["mediawiki\tова страница је закључана"]
    assert "noise\tx y z q w v k" in found["zxx_Zzzz.txt"] and len(found["zxx_Zzzz.txt"]) > 5


def test_an_unknown_source_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"inputs.tsv: source 'other' is none of unilex, "):
        gathered(tmp_path, "other\tx\tdeu_Latn\tx")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("fw2_words\tdeu", r"inputs.tsv:2: 'fw2_words..deu' is not source, path and a label"),
        ("fw2_words\tlist\t../Latn\tx", r"inputs.tsv:2: .* is not source, path and a label"),
        ("unilex\tde.txt\tdeu_Latn\tx", r"de.txt \(deu_Latn\): ValueError invalid literal"),
        ("unilex\tbytes\tdeu_Latn\tx", r"bytes \(deu_Latn\): .*can't decode byte"),
        ("fw2_words\tlist\tdeu_Latn\tx", r"list \(deu_Latn\): ParserError "),
        ("fw2_words\tlist\tfra_Latn\tx", r"list \(fra_Latn\): .*fra_Latn.yml is no mapping"),
        ("wordfreq\tbytes\tdeu_Latn\tx", r"bytes \(deu_Latn\): BadGzipFile "),
        ("wordfreq\tnumber\tdeu_Latn\tx", r"number \(deu_Latn\): .*is no list"),
    ],
)
def test_a_file_of_another_form_is_named(row: str, message: str, tmp_path: Path) -> None:
    put(tmp_path / "from" / "de.txt", "# Corpus-Size: many\nund\t5\n")
    put(tmp_path / "from" / "list", "und\n")
    put(tmp_path / "from" / "configs" / "deu_Latn.yml", "stopwords: [und\n")
    put(tmp_path / "from" / "configs" / "fra_Latn.yml", "- un\n")
    (tmp_path / "from" / "bytes").write_bytes(b"\xff\xff")
    (tmp_path / "from" / "number").write_bytes(gzip.compress(b"\x05"))
    with pytest.raises(ValueError, match=message):
        gathered(tmp_path, row)


def test_own_lines_of_another_form_are_named(tmp_path: Path) -> None:
    put(tmp_path / "from" / "sr", "кућа\n")
    put(tmp_path / "own" / "README.txt", "about\tthese lines\n")
    with pytest.raises(ValueError, match="README is no label"):
        gathered(tmp_path, "wiktionary\tsr\tsrp_Cyrl\tx", own=tmp_path / "own")
    (tmp_path / "own" / "README.txt").rename(tmp_path / "own" / "srp_Cyrl.txt")
    (tmp_path / "own" / "srp_Cyrl.txt").write_bytes(b"about\t\xff\n")
    (tmp_path / "again").mkdir()
    (tmp_path / "from").rename(tmp_path / "again" / "from")
    with pytest.raises(ValueError, match=r"srp_Cyrl\.txt is not UTF-8"):
        gathered(tmp_path / "again", "wiktionary\tsr\tsrp_Cyrl\tx", own=tmp_path / "own")


def test_the_shipped_table_names_files_of_known_sources() -> None:
    rows = list(read_inputs(SHIPPED))
    counted = Counter(row.source for row in rows)
    assert set(counted) == {"unilex", "fw2_words", "wiktionary", "wordfreq", "ebible_open"}
    assert len(rows) == len(set(rows)) > 3000


def test_texts_come_back_one_for_each() -> None:
    assert normalised(["Straße, 12!", "", "É"]) == ["straße", "", "é"]
