"""Languages made equal, by hand: the first axis says what a text is about, the second in which language."""

import numpy as np
import pytest

from index.bias import language_bias

ITALIAN, ENGLISH = [0, 1], [0, -1]


def texts(count: int) -> tuple[np.ndarray, list[str]]:
    vectors = np.array([ITALIAN] * count + [ENGLISH] * count, dtype=np.float32)
    return vectors, ["it"] * count + ["en"] * count


def test_a_question_in_italian_finds_english_as_easily() -> None:
    vectors, languages = texts(1000)
    bias = language_bias(vectors, languages)
    question = np.array([0.6, 0.8], dtype=np.float32)
    handicaps = bias.handicaps(question, bias.codes(["it", "en"]))
    fair = np.array([ITALIAN, ENGLISH], dtype=np.float32) @ question - handicaps
    assert fair[0] == pytest.approx(fair[1], abs=0.01)


def test_one_language_has_no_handicap() -> None:
    bias = language_bias(np.eye(3, dtype=np.float32), ["it"] * 3)
    assert bias.handicaps(np.ones(3, dtype=np.float32), bias.codes(["it", "it"])).tolist() == [0, 0]


def test_few_texts_of_a_language_are_believed_less_than_many() -> None:
    question = np.array([0.6, 0.8], dtype=np.float32)

    def handicap(count: int) -> float:
        bias = language_bias(*texts(count))
        return float(bias.handicaps(question, bias.codes(["it"]))[0])

    assert 0 < handicap(1) < handicap(5) < handicap(50) < 0.8


def test_a_language_not_seen_before_has_no_handicap() -> None:
    bias = language_bias(*texts(10))
    assert bias.handicaps(np.ones(2, dtype=np.float32), bias.codes(["fi"])).tolist() == [0]


def test_nothing_seen_is_no_bias() -> None:
    bias = language_bias(np.zeros((0, 2), dtype=np.float32), [])
    assert bias.handicaps(np.ones(2, dtype=np.float32), bias.codes([])).tolist() == []
