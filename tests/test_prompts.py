import pytest

import prompts


def test_values_are_filled_in():
    text = prompts.render("question", "it", sources="[1] Uno.", question="Chi?")
    assert text == "Fonti:\n[1] Uno.\n\nDomanda: Chi?"


def test_a_language_without_a_template_falls_back_on_english():
    assert prompts.render("refusal", "fi") == prompts.render("refusal", "en")


@pytest.mark.parametrize(
    "values",
    [{}, {"sources": "a"}, {"sources": "a", "question": "b", "extra": "c"}],
    ids=["none", "missing", "unknown"],
)
def test_missing_and_unknown_names_are_rejected(values):
    with pytest.raises(ValueError, match="question"):
        prompts.render("question", "en", **values)


def test_an_unknown_prompt_is_rejected():
    with pytest.raises(ValueError, match="'nothing'"):
        prompts.render("nothing", "en")


def test_dollars_in_values_stay_as_they_are():
    assert "$4 and ${x}" in prompts.render("question", "en", sources="$4 and ${x}", question="How much?")
