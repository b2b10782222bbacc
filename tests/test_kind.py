import pytest

from rag.kind import asked_kind, holds_kind


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many people work there?", "number"),
        ("Quanti anni ha il sindaco?", "number"),
        ("Combien de pages ?", "number"),
        ("Wie viele Seiten hat das Buch?", "number"),
        ("¿Cuánto cuesta?", "number"),
        ("In che anno fu fondata?", "year"),
        ("What year did it open?", "year"),
        ("Who opened it?", "other"),
        ("Perché ha chiuso?", "other"),
    ],
)
def test_the_question_word_tells_what_is_asked(question, kind):
    assert asked_kind(question) == kind


@pytest.mark.parametrize(
    ("question", "answer", "holds"),
    [
        ("How many people work there?", "About 40 people work there.", True),
        ("How many people work there?", "Several dozen people work there.", True),
        ("How many people work there?", "Its staff work in the old mill.", False),
        ("Quanto costa il biglietto?", "Il biglietto costa dodici euro.", True),
        ("Quanto costa il biglietto?", "Il biglietto si compra in stazione.", False),
        ("In che anno fu fondata?", "Fu fondata nel 1931.", True),
        ("In che anno fu fondata?", "Fu fondata da Bruni.", False),
        ("Who opened it?", "The mayor.", True),
    ],
)
def test_an_answer_without_a_figure_does_not_say_how_many(question, answer, holds):
    assert holds_kind(answer, question) is holds
