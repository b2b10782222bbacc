"""The whole path with the real models over samples/: the question everyone asks first, in several languages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.library import Library
from rag.answer import Answerer
from rag.settings import load_settings
from rag.types import Answer, Finished, Piece, Retrieved
from ui.app import load_embedder, open_answerer

pytestmark = pytest.mark.models

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
CORPUS = ROOT.parent / "shared" / "corpus"  # the articles that the project was made for, where they are at hand
BOTH = ("Wong", "Laforte")


@pytest.fixture(scope="module", params=[SAMPLES, CORPUS], ids=["samples", "corpus"])
def answerer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models_folder: Path
) -> Iterator[Answerer]:
    if not request.param.is_dir():
        pytest.skip(f"there is no {request.param}")
    settings = load_settings(data=tmp_path_factory.mktemp("library"), models=models_folder)
    with Library.open(settings.data, load_embedder(settings), create=True) as library:
        report = library.add([request.param])
        assert report.added and not report.failed
        with open_answerer(settings, library) as answerer:
            yield answerer


def check_quotes(answer: Answer, answerer: Answerer) -> None:
    assert answer.citations and not answer.abstained
    for citation in answer.citations:
        document = answerer.library.document(citation.document_id)
        assert document.text[citation.start : citation.end] == citation.quote
        assert f"[{citation.marker}]" in answer.text


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("who are the interim co-CEOs?", "en"),
        ("Chi sono i co-CEO ad interim?", "it"),
        ("Qui sont les co-PDG par intérim de Stability AI ?", "fr"),
    ],
)
def test_both_names_in_the_questions_language(answerer: Answerer, question: str, language: str) -> None:
    answer = answerer.answer(question)
    assert all(name in answer.text for name in BOTH), answer.text
    assert answer.language == language
    check_quotes(answer, answerer)


def test_a_french_question_over_italian_and_english_documents(answerer: Answerer) -> None:
    answer = answerer.answer("Quelle est la fonction de Christian Laforte ?")
    assert answer.language == "fr"
    check_quotes(answer, answerer)


def test_what_the_documents_do_not_hold_is_refused_in_the_questions_language(answerer: Answerer) -> None:
    answer = answerer.answer("Come si prepara il tiramisù?")
    assert answer.abstained and answer.citations == ()
    assert answer.text == "I documenti non rispondono a questa domanda."


def test_the_passages_are_there_before_the_first_word(answerer: Answerer) -> None:
    kinds = [type(event) for event in answerer.events("Who chairs the board?")]
    assert kinds[0] is Retrieved and kinds[-1] is Finished
    assert set(kinds[1:-1]) <= {Piece}


def test_the_same_question_gives_the_same_answer(answerer: Answerer) -> None:
    first, second = (answerer.answer("who are the interim co-CEOs?") for _ in range(2))
    assert (first.text, first.citations) == (second.text, second.citations)


def test_text_files_are_quoted_at_their_own_offsets(answerer: Answerer) -> None:
    answer = answerer.answer("who are the interim co-CEOs?")
    origins = {row.id: Path(row.origin) for row in answerer.library.documents()}
    for citation in answer.citations:
        file = origins[citation.document_id]
        text = file.read_text(encoding="utf-8")
        assert citation.quote in text
        if file.suffix == ".txt":
            assert text[citation.start : citation.end] == citation.quote
