import pytest

from rag.conversation import standalone
from rag.types import Turn

HISTORY = [Turn("user", "Who founded the Verdi Museum?"), Turn("agent", "Anna Neri founded it [1].")]


@pytest.mark.parametrize("question", ["And when?", "why?", "When did she open it?", "Is it free?"])
def test_a_follow_up_is_searched_with_the_question_before_it(question):
    assert standalone(question, HISTORY, "en") == f"Who founded the Verdi Museum? {question}"


@pytest.mark.parametrize("question", ["How tall is Mount Etna?", "Which trains stop in Bologna on Sunday?"])
def test_a_change_of_subject_is_searched_alone(question):
    assert standalone(question, HISTORY, "en") == question


def test_the_first_question_is_searched_alone():
    assert standalone("why?", [], "en") == "why?"


def test_italian_follow_up():
    assert standalone("E perché?", [Turn("user", "Chi si è dimesso?")], "it") == "Chi si è dimesso? E perché?"
