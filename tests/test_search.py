"""One ranking of two: worked by hand."""

import numpy as np
import pytest

from index.search import cosines, deviation, fuse, nearest, says_the_same, spread

KEYS = np.array([2, 3, 5, 8])
VECTORS = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], dtype=np.float32)
NONE = np.zeros(4, dtype=np.float32)
EAST = np.array([1, 0], dtype=np.float32)


def test_nearest_are_the_highest_cosines() -> None:
    assert nearest(EAST, KEYS, VECTORS, NONE, limit=2) == pytest.approx({2: 1.0, 3: 0.8})


def test_wanted_keys_get_their_cosine_too_unless_they_are_gone() -> None:
    assert nearest(EAST, KEYS, VECTORS, NONE, limit=1, also=[4, 5, 9]) == pytest.approx({2: 1.0, 5: 0.0})
    assert cosines(EAST, KEYS[2:], VECTORS[2:], NONE[2:]) == pytest.approx({5: 0.0, 8: -1.0})


def test_more_than_there_are_and_none_at_all() -> None:
    assert len(nearest(EAST, KEYS, VECTORS, NONE, limit=99)) == 4
    assert nearest(EAST, KEYS[:0], VECTORS[:0], NONE[:0], limit=5, also=[1]) == {}
    assert deviation(EAST, VECTORS[:0]) == 0.0


def test_fused_score_is_cosine_plus_a_share_of_a_deviation_per_point() -> None:
    assert deviation(EAST, VECTORS[[0, 3]]) == pytest.approx(1.0)
    assert fuse({1: 0.5, 2: 0.4}, {2: 3.0}, deviation=0.5) == pytest.approx({1: 0.5, 2: 0.52})


def test_without_lexical_matches_the_dense_order_stays() -> None:
    dense = {1: 0.3, 2: 0.9, 3: 0.5}
    assert fuse(dense, {}, deviation=0.1) == dense


def test_one_document_does_not_fill_the_result() -> None:
    document_of = {1: "a", 2: "a", 3: "a", 4: "b", 5: "a"}
    assert spread([1, 2, 3, 4, 5], document_of, lambda *_: False, places=5) == ([1, 2, 4], [3, 5])
    assert spread([1, 2, 3], document_of, lambda *_: False, places=5) == ([1, 2], [3])


def test_what_says_the_same_as_a_better_one_comes_last() -> None:
    pairs = {(3, 1), (4, 2)}
    ranked = spread([1, 2, 3, 4, 5], dict.fromkeys(range(1, 6), ""), lambda *pair: pair in pairs, places=99)
    assert ranked == ([1, 2, 5], [3, 4])


def test_only_the_best_places_are_looked_at_for_repetitions() -> None:
    compared = []

    def same(*pair: int) -> bool:
        compared.append(pair)
        return False

    spread([1, 2, 3, 4, 5], dict(zip(range(1, 6), "abcde", strict=True)), same, places=2)
    assert compared == [(2, 1)]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("La banca di Borgo ha chiuso oggi le tre filiali della valle, dice il sindaco Rossi.", True),
        ("La banca di Borgo chiuse ieri le tre filiali della valle, dice il sindaco Rossi.", False),
        ("La banca di Borgo ha chiuso ieri le tre filiali della valle, dice il sindaco Bianchi.", False),
        ("La banca di Borgo ha chiuso ieri le 3 filiali della valle, dice il sindaco Rossi.", False),
        ("La banca di Borgo non ha chiuso le tre filiali della valle, dice il sindaco Rossi.", False),
    ],
)
def test_a_repetition_shares_its_words_and_every_name_number_and_negation(other: str, same: bool) -> None:
    text = "La banca di Borgo ha chiuso le tre filiali della valle, dice il sindaco Rossi."
    assert says_the_same(text, other) is same
    assert says_the_same(text, text)


def test_a_handicap_is_taken_from_the_cosine() -> None:
    handicaps = np.array([0.5, 0, 0, 0], dtype=np.float32)
    assert nearest(EAST, KEYS, VECTORS, handicaps, limit=2) == pytest.approx({2: 0.5, 3: 0.8})
    assert cosines(EAST, KEYS[:1], VECTORS[:1], handicaps[:1]) == pytest.approx({2: 0.5})
