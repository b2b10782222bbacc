"""The reader over a tiny encoder of random weights: what it reads, where its places lead, how its weights are kept."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_reader import make_encoder

from index.errors import ModelUnavailable
from index.types import Chunk, Document, Passage
from rag.reader import WEIGHTS, Reader, Reading, best_span
from rag.reader_input import Pair, RowMaker
from rag.uses import USES, uses_of

TEXT = "Il mulino di Borgo macina grano. Oggi il mulino macina farro."


def passage(text: str, *, title: str = "", score: float = 0.0) -> Passage:
    return Passage(Chunk("d#0", "d", text, 0, len(text)), Document("d", text, title=title), score, 1)


@pytest.fixture
def tiny(tmp_path: Path) -> Reader:
    folder, weights = make_encoder(tmp_path)
    return Reader(folder, encoder="tiny", weights=weights)


def rows(folder: Path, *pairs: Pair, **limits: int):  # type: ignore[no-untyped-def]
    from tokenizers import Tokenizer

    return RowMaker(Tokenizer.from_file(str(folder / "tokenizer.json"))).rows(pairs, **limits)


def test_tokens_of_a_row_lead_back_into_the_text(tmp_path: Path) -> None:
    folder, _ = make_encoder(tmp_path)
    (row,) = rows(folder, Pair("read", "quale mulino", TEXT, "Mulini"))
    words = [TEXT[start:end] for start, end in row.offsets]
    assert words[:4] == ["Il", "mulino", "di", "Borgo"]
    assert len(row.ids) == len(row.types) == row.start + len(row.offsets) + 1
    assert row.types.index(1) < row.start  # the title belongs to the second text


def test_what_exceeds_the_limit_is_left_out_of_the_text_and_the_beginning_of_a_long_question(tmp_path: Path) -> None:
    folder, _ = make_encoder(tmp_path)
    long = "mulino " * 200 + "grano"
    (row,) = rows(folder, Pair("read", long, "farro " * 600), most_tokens=128)
    assert len(row.ids) == 128
    grano = rows(folder, Pair("read", "grano", ""))[0].ids[-3]
    assert grano in row.ids  # the last word of the question
    assert rows(folder, Pair("support", "", ""))[0].offsets == []


def test_a_reading_has_places_of_the_text_and_is_the_same_in_any_company(tiny: Reader) -> None:
    texts = [TEXT, "farro", "Il grano. " * 30]
    alone = [tiny.read("quale mulino?", [passage(text)])[0] for text in texts]
    other = Reader(tiny._folder, encoder="tiny", weights=tiny._weights)
    together = other.read("quale mulino?", [passage(text) for text in texts])
    for text, one, same in zip(texts, alone, together, strict=True):
        assert 0 <= one.start < one.end <= len(text)
        assert (one.start, one.end) == (same.start, same.end)
        assert one.answers == pytest.approx(same.answers, abs=0.05)
        assert text[one.start : one.end].strip() == text[one.start : one.end]


def test_a_text_without_tokens_is_read_too(tiny: Reader) -> None:
    reading = tiny.read("quale mulino?", [passage("")])[0]
    assert (reading.start, reading.end) == (0, 0)
    assert reading.bears(0, 5) == -10.0
    assert tiny.read("quale mulino?", []) == []
    assert tiny.support([]) == []


def test_titles_and_questions_are_read_anew(tiny: Reader) -> None:
    plain = tiny.read("quale mulino?", [passage(TEXT)])[0]
    assert tiny.read("quale mulino?", [passage(TEXT)])[0] is plain
    assert tiny.read("quale mulino?", [passage(TEXT, title="grano")])[0] is not plain
    assert tiny.read("quale grano?", [passage(TEXT)])[0] is not plain


def test_as_a_reranker_it_counts_what_the_search_found(tiny: Reader) -> None:
    scores = tiny.scores("quale mulino?", [passage(TEXT, score=0.9), passage(TEXT, score=0.8)])
    assert scores[0] > scores[1]


def test_support_is_a_probability(tiny: Reader) -> None:
    found = tiny.support([(TEXT, "Il mulino macina grano."), (TEXT, "farro")])
    assert all(0 < probability < 1 for probability in found)
    assert found[0] != found[1]


def test_weights_that_are_not_the_readers_are_refused(tmp_path: Path) -> None:
    folder, weights = make_encoder(tmp_path)
    with pytest.raises(ModelUnavailable, match="another encoder"):
        Reader(folder, encoder="other", weights=weights).read("?", [passage(TEXT)])
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        Reader(folder, encoder="tiny", weights=tmp_path / "none.safetensors").read("?", [passage(TEXT)])
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelUnavailable, match="damaged"):
        Reader(folder, encoder="tiny", weights=weights).read("?", [passage(TEXT)])
    notes = json.loads(weights.with_suffix(".json").read_text())
    notes["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.with_suffix(".json").write_text(json.dumps(notes))
    with pytest.raises(ModelUnavailable, match="reader's weights"):
        Reader(folder, encoder="tiny", weights=weights).read("?", [passage(TEXT)])


def test_weights_of_more_layers_are_refused(tmp_path: Path) -> None:
    folder, _ = make_encoder(tmp_path / "one")
    _, weights = make_encoder(tmp_path / "other", layers=3)
    with pytest.raises(ModelUnavailable, match="another reader"):
        Reader(folder, encoder="tiny", weights=weights).read("?", [passage(TEXT)])


def test_sentences_are_told_by_the_mean_of_their_tokens() -> None:
    offsets = np.array([(0, 3), (4, 9), (10, 12)])
    reading = Reading(1.0, 4, 9, 2.0, offsets, np.array([1.0, 3.0, -8.0], dtype=np.float32))
    assert reading.bears(0, 9) == pytest.approx(2.0)
    assert reading.bears(10, 12) == pytest.approx(-8.0)


def test_the_likeliest_span_is_in_order_and_short() -> None:
    starts, ends = np.full(100, -9.0, dtype=np.float32), np.full(100, -9.0, dtype=np.float32)
    starts[80], ends[10], ends[82] = 0.0, 0.0, -1.0  # the best end lies before the best start
    assert best_span(starts, ends) == (80, 82)
    starts[5], ends[99] = 1.0, 5.0  # too far apart
    first, last = best_span(starts, ends)
    assert 0 <= last - first < 40


@pytest.mark.parametrize(
    ("setting", "uses"),
    [("all", USES), ("off", set()), ("order", {"order"}), ("order, evidence", {"order", "evidence"})],
)
def test_each_use_is_a_setting(setting: str, uses: set[str]) -> None:
    assert uses_of(setting) == uses


def test_an_unknown_use_is_refused() -> None:
    with pytest.raises(ValueError, match="'orders'"):
        uses_of("orders")


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="the reader's weights are not there: make train-reader")
def test_the_weights_in_the_package_are_what_is_told_of_them() -> None:
    notes = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == notes["sha256"]
    assert WEIGHTS.stat().st_size <= 30_000_000
