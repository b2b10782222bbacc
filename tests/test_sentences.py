"""Sentence boundaries: every language, nothing lost, nothing slow."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sentences import sentence_spans


def sentences(text: str, language: str = "it") -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text, language)]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("aB1 .!?\n\t。”\"'-(#é😀"), max_size=120))
def test_spans_are_stripped_in_order_and_cover_all_that_is_not_blank(text: str) -> None:
    last = 0
    for start, end in sentence_spans(text, "en"):
        assert text[last:start].strip() == ""
        assert start < end
        assert text[start:end] == text[start:end].strip()
        last = end
    assert text[last:].strip() == ""


@pytest.mark.parametrize(
    "text",
    [
        "Lo dice l'art. 5 del codice.",
        "Vedi fig. Tre del testo.",
        "Il sig. Rossi ha 3 mln. di euro.",
        "J. R. R. Tolkien scrisse molto.",
        "Many birds, e.g. Swans, can swim.",
        "1. Prima voce di un elenco",
    ],
)
def test_abbreviation_does_not_end_a_sentence(text: str) -> None:
    assert sentences(text) == [text]


def test_closing_quote_stays_with_its_sentence() -> None:
    assert sentences("«Vado via.» Poi uscì. “Torno. ” E tornò.") == [
        "«Vado via.»",
        "Poi uscì.",
        "“Torno. ”",
        "E tornò.",
    ]


def test_chinese_japanese_and_hindi_full_stops_end_sentences() -> None:
    assert sentences("これは一つ目です。「二つ目です。」三つ目。", "ja") == [
        "これは一つ目です。",
        "「二つ目です。」",
        "三つ目。",
    ]
    assert sentences("यह पहला है। यह दूसरा है।", "hi") == ["यह पहला है।", "यह दूसरा है।"]


def test_a_line_is_its_own_sentence() -> None:
    assert sentences("Un titolo\nUna frase. Due frasi.\n- voce\n- altra voce") == [
        "Un titolo",
        "Una frase.",
        "Due frasi.",
        "- voce",
        "- altra voce",
    ]


WRAPPED = """Title of the piece

A text that was wrapped by its writer goes on until the line
is full. A second sentence begins in the middle of one and it
ends in the middle of another, as they do in letters and mail.
The third sentence of this text starts where a line starts and
ends with it
Short heading
- a list item that is long enough to fill the line to its end
- another one"""


def test_sentence_runs_over_the_lines_of_wrapped_text() -> None:
    found = sentences(WRAPPED, "en")
    assert found[0] == "Title of the piece"
    assert found[1].startswith("A text") and found[1].endswith("is full.")
    assert found[2].startswith("A second") and found[2].endswith("and mail.")
    assert found[3].endswith("ends with it")
    assert found[-2:] == ["- a list item that is long enough to fill the line to its end", "- another one"]


@pytest.mark.parametrize("unit", ["a", ".", "? ", '. "', "Abc. ", "\n", "。", "1. "])
def test_long_monotonous_text_is_cut(unit: str) -> None:
    text = unit * (60_000 // len(unit))
    spans = sentence_spans(text, "en")
    assert all(end - start <= 10_000 for start, end in spans)
    assert sum(end - start for start, end in spans) >= len("".join(text.split()))


def test_row_of_a_table_is_a_sentence_however_it_is_wrapped() -> None:
    row = "| Nome: Dott. Rossi | Nota: Pagato. Vedi fascicolo 3 | Importo: 12 |"
    text = f"{row}\n" * 5 + "che segue da solo.\n"
    assert [text[start:end] for start, end in sentence_spans(text, "it")] == [row] * 5 + ["che segue da solo."]


def test_sentences_in_the_cells_of_a_long_row_are_told_apart() -> None:
    text = f"| titolo: Piove | testo: {'Il fiume sale ancora. ' * 20}Domani sole. |"
    assert len(sentence_spans(text, "it")) > 10
