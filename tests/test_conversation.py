import pytest

from rag.conversation import asked_before, standalone
from rag.types import Turn

HISTORY = [Turn("user", "Who founded the Verdi Museum?"), Turn("agent", "Anna Neri founded it [1].")]


@pytest.mark.parametrize("question", ["And when?", "why?", "When did she open it?", "Is it free?"])
def test_a_follow_up_is_searched_with_the_question_before_it(question):
    assert standalone(question, HISTORY, "en") == f"Who founded the Verdi Museum? {question}"


@pytest.mark.parametrize(
    "question",
    ["How tall is Mount Etna?", "Which trains stop in Bologna on Sunday?", "E-commerce growth in Italian regions?"],
)
def test_a_change_of_subject_is_searched_alone(question):
    assert standalone(question, HISTORY, "en") == question


def test_the_first_question_is_searched_alone():
    assert standalone("why?", [], "en") == "why?"


def test_italian_follow_up():
    assert standalone("E perché?", [Turn("user", "Chi si è dimesso?")], "it") == "Chi si è dimesso? E perché?"


def test_the_users_last_three_questions_are_searched_for_too():
    turns = [turn for i in range(5) for turn in (Turn("user", f"Question {i}?"), Turn("agent", "Reply."))]
    assert asked_before(turns) == "Question 2? Question 3? Question 4?"
    assert asked_before([Turn("user", "x" * 1_000)]) == "x" * 200
    assert asked_before([]) == ""
