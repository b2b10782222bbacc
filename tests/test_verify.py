import pytest

from rag.verify import support_label, support_score, weighed_support


def score(sentence, quote, *, question="", language="en", quote_language="en", cosine=0.85):
    return support_score(
        sentence, quote, question=question, language=language, quote_language=quote_language, cosine=cosine
    )


def test_a_sentence_supports_itself():
    assert score("The bridge opened in 1931.", "The bridge opened in 1931.", cosine=1.0) == 1


def test_another_number_is_no_support():
    assert score("The bridge opened in 1932.", "The bridge opened in 1931.", cosine=0.99) == 0


def test_another_name_is_little_support():
    same = score("It was opened by Bruni.", "It was opened by Bruni.", cosine=1.0)
    other = score("It was opened by Rossi.", "It was opened by Bruni.", cosine=0.95)
    assert support_label(same) == "supported"
    assert support_label(other) == "unsupported"


def test_what_the_question_says_needs_no_support():
    question = "When did Rossi open the bridge?"
    assert score("Rossi opened it in 1931.", "It opened in 1931.", question=question, cosine=0.9) > 0.5


def test_a_near_quote_in_another_language_supports():
    value = score(
        "The bridge was opened by mayor Bruni.",
        "Il ponte fu inaugurato dal sindaco Bruni.",
        quote_language="it",
        cosine=0.9,
    )
    assert support_label(value) == "supported"


def test_an_unrelated_quote_does_not_support():
    assert (
        support_label(score("The choir sings on Sunday.", "Cheese is made in the valley.", cosine=0.76))
        == "unsupported"
    )


@pytest.mark.parametrize("cosine", [-1.0, 0.0, 0.5, 1.0])
def test_the_score_stays_between_0_and_1(cosine):
    assert 0 <= score("A mill.", "Another thing.", cosine=cosine) <= 1


def test_a_name_that_the_question_gives_in_part_needs_no_support_in_whole():
    value = score("Anna Neri sold the mill.", "She sold the mill.", question="What did Neri do?", cosine=0.9)
    assert support_label(value) == "supported"


def test_the_reader_moves_the_score_of_the_rules():
    assert weighed_support(0.6, 0.01) < weighed_support(0.6, 0.5) < weighed_support(0.6, 0.99)
    assert weighed_support(0.5, 0.9) < weighed_support(0.9, 0.9)


@pytest.mark.parametrize("read", [0.0, 0.5, 1.0])
def test_what_the_rules_rule_out_the_reader_cannot_bring_back(read):
    assert weighed_support(0.0, read) == 0
    assert 0 < weighed_support(0.5, read) < 1
