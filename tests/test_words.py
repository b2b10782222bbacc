import pytest

from rag.words import content_words, names, numbers, overlap, with_full_names


def test_stop_words_and_elided_articles_do_not_count():
    assert content_words("Chi guida l'azienda?", "it") == {"guida", "azienda"}


def test_numbers_are_the_same_in_either_notation():
    assert numbers("1.500 download nel 2024") == numbers("1,500 downloads in 2024") == {"1500", "2024"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The chair is Jim O'Shaughnessy.", {"jim", "shaughnessy"}),
        ("Ieri Rossi ha parlato. Domani tace.", {"rossi"}),
        ("CEO and CTO met", {"ceo", "cto"}),
        ("nobody here", set()),
    ],
)
def test_names_are_capitals_that_open_no_sentence(text, expected):
    assert names(text) == expected


def test_cognates_overlap_in_part():
    words = frozenset({"decentralizzata"})
    assert overlap("decentralizzata", words) == 1
    assert 0 < overlap("decentralised", words) < 1
    assert overlap("centre", words) == 0


def test_one_part_of_a_name_stands_for_the_whole():
    given = frozenset({"neri", "mill"})
    assert with_full_names(given, "Anna Neri sold it to Carlo Bassi.") == {"neri", "mill", "anna"}
    assert with_full_names(given, "She sold it.") == given
