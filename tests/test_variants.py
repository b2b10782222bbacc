"""The same question put otherwise, and whether it got the same answer."""

import random
import unicodedata

import pytest
from conftest import FakeGenerator
from hypothesis import given
from hypothesis import strategies as st

from eval.data import Gold, Meta
from eval.measures.robustness import same_answer
from eval.variants import MOST_EDITS, VARIANTS, mistyped, other_case, paraphraser, vary
from index.errors import BadGold
from rag.types import Turn
from rag.words import names, numbers

ITALIAN = Gold("it1", "Quando fu aperto il ponte di Anna Keller nel 1931?", ("maggio",), ("d1",), True, "it", "fact")
ENGLISH = Gold("en1", "Who leads the city museum in Verona?", ("Ada Conti",), ("d2",), True, "en")
GERMAN = Gold("de1", "Wer leitet das Museum?", ("Ada Conti",), ("d2",), True, "de")
LONG = "which of the houses beside the river belonged to the miller before the great flood came over the valley"


def edits(first: str, second: str) -> int:
    """Return the Damerau-Levenshtein distance of two words (optimal string alignment)."""
    rows = [[i + j if not i or not j else 0 for j in range(len(second) + 1)] for i in range(len(first) + 1)]
    for i, a in enumerate(first, start=1):
        for j, b in enumerate(second, start=1):
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and (a, b) == (second[j - 2], first[i - 2]):
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


def test_each_pair_has_a_variant_of_each_kind_and_keeps_the_rest() -> None:
    variants = vary([ITALIAN, ENGLISH], ["typos", "case", "noise"], seed=1)
    assert [v.id for v in variants] == [f"{id}~{kind}" for id in ("it1", "en1") for kind in ("typos", "case", "noise")]
    first = variants[0]
    assert first.question != ITALIAN.question
    assert (first.answers, first.relevant, first.answerable, first.language, first.kind) == (
        ("maggio",),
        ("d1",),
        True,
        "it",
        "fact",
    )
    assert first.meta == {"variant_of": "it1", "variant": "typos"}


def test_the_meta_of_the_pair_is_kept_beside() -> None:
    turns = [Turn("user", "Which museum?")]
    gold = Gold("q", "Who leads it?", ("Ada",), ("d",), True, "en", meta={"history": turns, "all_of": ["Ada"]})
    [variant] = vary([gold], ["case"], seed=1)
    assert variant.meta == {"history": turns, "all_of": ["Ada"], "variant_of": "q", "variant": "case"}
    assert "variant" not in gold.meta


def test_the_same_seed_gives_the_same_variants_and_another_one_others() -> None:
    golds = [Gold(f"q{n}", LONG, (), (), True, "en") for n in range(5)]
    assert vary(golds, VARIANTS, seed=3) == vary(golds, VARIANTS, seed=3)
    assert vary(golds[2:3], ["typos"], seed=3) == vary(golds, ["typos"], seed=3)[2:3]
    assert vary(golds, ["typos"], seed=4) != vary(golds, ["typos"], seed=3)
    assert len({variant.question for variant in vary(golds, ["typos"], seed=3)}) > 1


def test_a_known_seed_gives_a_known_question() -> None:
    [variant] = vary([ENGLISH], ["typos"], seed=7)
    assert variant.question == "Who leads the ciity museum in Verona?"


@given(st.randoms(use_true_random=False))
def test_typos_leave_names_numbers_and_first_letters(rng: random.Random) -> None:
    question = ITALIAN.question
    changed = mistyped(question, rng)
    assert names(changed) == names(question)
    assert numbers(changed) == numbers(question)
    assert [word[0] for word in changed.split()] == [word[0] for word in question.split()]


@given(st.randoms(use_true_random=False))
def test_one_slip_in_twelve_letters_and_one_a_word_at_most(rng: random.Random) -> None:
    assert sum(edits(a, b) for a, b in zip(LONG.split(), mistyped(LONG, rng).split(), strict=True)) == MOST_EDITS
    short = "when does the museum open?"  # 4 + 4 + 6 + 4 letters in words of four or more: 18 / 12 rounds to 2
    slips = [edits(a, b) for a, b in zip(short.split(), mistyped(short, rng).split(), strict=True)]
    assert sum(slips) == 2
    assert max(slips) == 1


@given(st.text(), st.randoms(use_true_random=False))
def test_any_text_can_be_mistyped(text: str, rng: random.Random) -> None:
    changed = mistyped(text, rng)
    assert abs(len(changed) - len(text)) <= MOST_EDITS


def test_an_accent_may_be_left_away() -> None:
    found = {mistyped("perché", random.Random(seed)) for seed in range(200)}
    assert "perche" in found
    assert all(edits("perché", unicodedata.normalize("NFC", text)) == 1 for text in found)


def test_shouted_questions_can_be_mistyped_and_names_alone_cannot() -> None:
    assert mistyped("WHO LEADS THE MUSEUM?", random.Random(1)) != "WHO LEADS THE MUSEUM?"
    assert mistyped("WHO LEADS THE MUSEUM?", random.Random(1)).isupper()
    assert mistyped("2024, iPhone e IBM?", random.Random(1)) == "2024, iPhone e IBM?"


def test_a_question_that_a_kind_cannot_change_has_no_such_variant() -> None:
    gold = Gold("q", "1931?", (), (), True, "en")
    assert [v.meta["variant"] for v in vary([gold], VARIANTS, seed=1)] == ["noise"]  # type: ignore[typeddict-item]


def test_case_is_lower_or_capitals_where_it_was_lower() -> None:
    assert other_case("Who leads IBM?") == "who leads ibm?"
    assert other_case("who leads ibm?") == "WHO LEADS IBM?"
    assert other_case("誰?") == "誰?"


def test_noise_surrounds_the_question_in_its_language() -> None:
    for gold in (ITALIAN, ENGLISH, GERMAN):
        heard = {v.question for seed in range(20) for v in vary([gold], ["noise"], seed=seed)}
        assert len(heard) == 3
        assert all(gold.question in question and gold.question != question for question in heard)
    assert not any(set("abcdefghijklmnopqrstuvwxyz") & set(q.replace(GERMAN.question, "").lower()) for q in heard)


def test_paraphrases_of_the_pair_come_before_those_of_a_model() -> None:
    written = Gold("q", "Who leads it?", (), (), True, "en", meta=Meta(paraphrases=["Who is its head?"]))  # type: ignore[typeddict-unknown-key]
    made = vary([written, ENGLISH], ["paraphrase"], seed=1, paraphrase=lambda question, language: f"{language}: what?")
    assert [variant.question for variant in made] == ["Who is its head?", "en: what?"]


def test_without_a_paraphrase_there_is_no_variant() -> None:
    assert vary([ENGLISH], ["paraphrase"], seed=1) == []
    assert vary([ENGLISH], ["paraphrase"], seed=1, paraphrase=lambda question, language: "") == []
    assert vary([ENGLISH], ["paraphrase"], seed=1, paraphrase=lambda question, language: question) == []


def test_variants_have_no_variants() -> None:
    variants = vary([ENGLISH], ["typos"], seed=1)
    assert vary(variants, VARIANTS, seed=1) == []


@pytest.mark.parametrize("paraphrases", ["Who?", [""], [3]])
def test_paraphrases_that_are_no_texts_are_the_users_mistake(paraphrases: object) -> None:
    gold = Gold("q7", "Who?", (), (), True, meta={"paraphrases": paraphrases})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(BadGold, match=r"paraphrases of question 'q7'"):
        vary([gold], ["paraphrase"], seed=1)


def test_a_taken_id_is_the_users_mistake_and_an_unknown_kind_the_programmers() -> None:
    taken = Gold("en1~case", "Who?", (), (), True)
    with pytest.raises(BadGold, match="'en1~case'"):
        vary([ENGLISH, taken], ["case"], seed=1)
    with pytest.raises(ValueError, match="shuffled"):
        vary([ENGLISH], ["shuffled"], seed=1)


def test_a_model_puts_a_question_otherwise() -> None:
    generator = FakeGenerator('Question: "Who is at the head of the city museum in Verona?"\nI kept the name.')
    assert paraphraser(generator)(ENGLISH.question, "en") == "Who is at the head of the city museum in Verona?"
    assert ENGLISH.question in generator.asked[0][0].content


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "The museum in Verona is led by someone.",
        "who leads the city museum in VERONA ?",
        "Who is at the head of the city museum?",
        "Who is at the head of the city museum in Verona since 1990?",
        "Chi si trova alla guida del museo civico della città di Verona?",
    ],
    ids=["nothing", "no question", "the same", "name lost", "number added", "other language"],
)
def test_a_paraphrase_that_asks_something_else_is_left_out(reply: str) -> None:
    assert paraphraser(FakeGenerator(reply))(ENGLISH.question, "en") == ""


def test_two_refusals_are_the_same_and_one_is_not() -> None:
    assert same_answer("Not found.", "Non trovato.", True, True) == 1
    assert same_answer("Ada Conti", "Ada Conti", True, False) == 0
    assert same_answer("Ada Conti", "Ada Conti", False, True, ["Ada Conti"]) == 0


def test_two_right_answers_are_the_same_however_they_are_worded() -> None:
    long = "Since the spring of 2020 the museum has been in the hands of Ada Conti. [1]"
    assert same_answer("Conti", long, False, False, ["Conti"]) == 1
    assert same_answer("Conti", long, False, False) == 0
    assert same_answer("Neri leads the museum.", "Conti leads the museum.", False, False, ["Conti"]) == 0
    assert same_answer("Conti and Neri", "Neri with Conti", False, False, [], ["Conti", "Neri"]) == 1


def test_two_wrong_answers_are_the_same_where_they_share_half_their_words() -> None:
    assert same_answer("Bruno Neri [1]", "It is Bruno Neri. [2]", False, False, ["Conti"]) == 1  # 2 * 2 / (2 + 4)
    assert same_answer("Bruno Neri", "It is not Bruno Rossi", False, False, ["Conti"]) == 0  # 2 * 1 / (2 + 5)
    assert same_answer("", "", False, False) == 0


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("It is Rome, the capital of Italy.", "It is Paris, the capital of France.", 0),
        ("It was opened in 1931.", "It was opened in 1932.", 0),
        ("It has five rooms.", "It has six rooms.", 0),
        ("It has five rooms.", "It has 5 rooms.", 1),
        ("It was opened in 1931.", "It was opened in 1931 by Bruno Neri.", 1),  # the one only says more
        ("It was opened by Neri in spring.", "Neri opened it in spring.", 1),
    ],
)
def test_wrong_answers_that_name_different_things_are_not_the_same(first: str, second: str, same: int) -> None:
    assert same_answer(first, second, False, False, ["Conti"]) == same
    assert same_answer(first, second, False, False) == same


@given(st.text(), st.text(), st.booleans(), st.booleans())
def test_sameness_does_not_depend_on_which_comes_first(first: str, second: str, a: bool, b: bool) -> None:
    assert same_answer(first, second, a, b, ["x"]) == same_answer(second, first, b, a, ["x"])
