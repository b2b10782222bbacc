"""Gold files and run files: read, checked, written."""

import json
from pathlib import Path

import pytest

from eval.data import Gold, Quote, Row, append_row, fingerprint, read_gold, read_run, sample, write_run
from index.errors import BadGold, BadRun
from rag.types import Turn

PAIR = {"id": "q1", "question": "Chi?", "answers": ["Laforte"], "relevant": ["d1"], "answerable": True}


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_gold_is_read_with_its_defaults_and_its_meta(tmp_path: Path) -> None:
    meta = {"all_of": ["Laforte"], "history": [{"speaker": "user", "text": "Chi dirige?"}], "squad_id": "57"}
    full = PAIR | {"id": "q2", "language": "it", "kind": "factoid", "meta": meta}
    first, second = read_gold(write_lines(tmp_path / "gold.jsonl", PAIR, "", full))
    assert first == Gold("q1", "Chi?", ("Laforte",), ("d1",), True)
    assert (second.language, second.kind) == ("it", "factoid")
    assert second.meta["all_of"] == ["Laforte"]
    assert second.meta["history"] == [Turn("user", "Chi dirige?")]
    assert second.meta["squad_id"] == "57"  # type: ignore[typeddict-item]


def test_a_line_separator_inside_a_string_does_not_end_the_line(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text(
        json.dumps(PAIR | {"question": "one\u2028two\u0085three"}, ensure_ascii=False) + "\r\n", encoding="utf-8-sig"
    )
    assert read_gold(path)[0].question == "one\u2028two\u0085three"


def test_all_bad_lines_are_reported_together_with_their_numbers(tmp_path: Path) -> None:
    without_question = {name: value for name, value in PAIR.items() if name != "question"}
    path = write_lines(
        tmp_path / "gold.jsonl",
        PAIR,
        without_question | {"id": "q2"},
        "{not json",
        PAIR | {"id": "q4", "answers": "Laforte"},
        PAIR,
        PAIR | {"id": "q6", "answerable": "yes"},
        PAIR | {"id": "q7", "meta": {"all_of": "Laforte"}},
        PAIR | {"id": "q8", "meta": {"history": [{"speaker": "nobody", "text": ""}]}},
        "[]",
        PAIR | {"id": ""},
    )
    with pytest.raises(BadGold) as caught:
        read_gold(path)
    message = str(caught.value)
    assert "line 1:" not in message
    for expected in (
        "line 2: question: Field required",
        "line 3: Invalid JSON",
        "line 4: answers:",
        "line 5: the id 'q1' occurs twice",
        "line 6: answerable:",
        "line 7: meta.all_of:",
        "line 8: meta.history.0.speaker:",
        "line 9:",
        "line 10: id:",
    ):
        assert expected in message
    assert "\n" not in message


def test_a_file_of_bad_lines_is_not_recited_in_full(tmp_path: Path) -> None:
    with pytest.raises(BadGold, match=r"line 20: .*; and 80 more\.$"):
        read_gold(write_lines(tmp_path / "gold.jsonl", *["nonsense"] * 100))


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadGold, match="holds no question"):
        read_gold(path)


def test_a_file_that_is_missing_or_a_folder_or_not_utf8_is_refused(tmp_path: Path) -> None:
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes('{"id": "perché"}'.encode("latin-1"))
    for path in (tmp_path / "nowhere.jsonl", tmp_path, latin):
        with pytest.raises(BadGold, match=str(path)):
            read_gold(path)


def test_sample_keeps_the_order_and_depends_on_the_seed_alone() -> None:
    golds = [Gold(f"q{n:02}", "?", (), (), True) for n in range(50)]
    drawn = sample(golds, 10, seed=7)
    assert drawn == sample(golds, 10, seed=7) != sample(golds, 10, seed=8)
    assert [gold.id for gold in drawn] == sorted(gold.id for gold in drawn)
    assert len({gold.id for gold in drawn}) == 10
    assert sample(golds, 500, seed=7) == golds


def test_fingerprint_tells_any_change_of_a_pair() -> None:
    meta = {"history": [Turn("user", "Chi?")]}
    gold = Gold("q", "?", ("a",), (), True, meta=meta)  # type: ignore[arg-type]
    assert fingerprint([gold]) == fingerprint([Gold("q", "?", ("a",), (), True, meta=meta)])  # type: ignore[arg-type]
    assert fingerprint([gold]) != fingerprint([Gold("q", "?", ("b",), (), True, meta=meta)])  # type: ignore[arg-type]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    quote = Quote("d1", 0, 7, "Perché\u2028", 0.5)
    rows = [
        Row("q1", "Perché [1]", False, ("d1", "d2"), ("d1",), (quote,), 0.5, 1, 320, 12),
        Row("q2", abstained=True),
        Row("q3", error="No model."),
    ]
    for row in rows:
        append_row(path, row)
    assert read_run(path) == rows
    write_run(path, rows[:1])
    assert read_run(path) == rows[:1]


def test_a_row_has_the_fields_of_the_format_and_an_error_only_where_there_was_one(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    append_row(path, Row("q1"))
    append_row(path, Row("q2", error="No model."))
    first, second = map(json.loads, path.read_text().splitlines())
    assert ", ".join(first) == (
        "id, answer, abstained, retrieved, citations, quotes, first_token_s, total_s, prompt_tokens, output_tokens"
    )
    assert second["error"] == "No model."


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    append_row(path, Row("q1", "one"))
    append_row(path, Row("q2", "two"))
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for cut in range(second, len(whole)):
        path.write_bytes(whole[:cut])
        assert read_run(path) == [Row("q1", "one")]


def test_a_damaged_row_elsewhere_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"id": "q1", "abs\n{"id": "q2"}\n')
    with pytest.raises(BadRun, match="line 1: Invalid JSON"):
        read_run(path)


@pytest.mark.parametrize(
    "meta",
    ['{"quotes": "Anna"}', '{"quotes": null}', '{"grades": [1]}', '{"grades": {"d": 0.5}}', '{"variant_of": null}',
     '{"variant_of": "nobody"}', '{"paraphrases": [""]}', '{"draft": "yes"}'],
)  # fmt: skip
def test_meta_that_cannot_be_used_is_reported(tmp_path: Path, meta: str) -> None:
    pair = '{"id": "q", "question": "Who?", "answers": ["a"], "relevant": [], "answerable": true, "meta": %s}'
    with pytest.raises(BadGold, match=r"line 1: meta\."):
        read_gold(write_lines(tmp_path / "gold.jsonl", pair % meta))


@pytest.mark.parametrize(
    "field",
    ['"total_s": NaN', '"total_s": -1', '"confidence": 87', '"memory_mb": Infinity', '"prompt_tokens": -1',
     '"quotes": [{"document": "d", "support": 7}]', '"quotes": [{"document": "d", "start": -1}]'],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_reported(tmp_path: Path, field: str) -> None:
    with pytest.raises(BadRun, match="line 1: "):
        read_run(write_lines(tmp_path / "run.jsonl", f'{{"id": "q", {field}}}'))


def test_variants_are_drawn_with_the_pair_that_they_are_of() -> None:
    golds = [Gold(f"q{n}", "?", (), (), True) for n in range(9)]
    golds += [Gold(f"q{n}~case", "?", (), (), True, meta={"variant_of": f"q{n}"}) for n in range(9)]
    drawn = sample(golds, 4, seed=1)
    assert len(drawn) == 8
    assert [gold.id for gold in drawn[4:]] == [f"{gold.id}~case" for gold in drawn[:4]]
