"""The whole path from question to verified answer, with a scripted model and hashed-word vectors."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import FakeEmbedder, FakeGenerator
from numpy.typing import NDArray

from index.errors import BadQuestion
from index.library import Library
from index.types import Document, Passage
from rag.answer import Answerer, check_question
from rag.reader import Reading
from rag.types import Finished, Piece, Retrieved, Turn

MILL = (
    "The mill at Borgo was built in 1820. It burnt down twice. Anna Neri bought the mill in 1950 and made it a museum."
)
PORT = "Il porto di Lido fu chiuso nel 1975. Il sindaco Carlo Bassi ne spiegò le ragioni in piazza."
LEADS = "Mara Voss and Ivo Lund lead the company as interim directors."


@pytest.fixture
def library(tmp_path: Path, fake_embedder: FakeEmbedder) -> Iterator[Library]:
    with Library.open(tmp_path / "library", fake_embedder, create=True) as library:
        library.add_documents(
            [
                Document("mill.md", MILL, title="The mill", language="en", published="2024-01-02"),
                Document("porto.md", PORT, title="Il porto", language="it"),
                Document("leads.md", LEADS, title="The company", language="en"),
            ]
        )
        yield library


def answerer(library: Library, generator: FakeGenerator, **budgets: int) -> Answerer:
    # The weights are fitted to real models; hashed words would be judged by chance.
    return Answerer(library, generator, least_answerable=0.0, **budgets)


def test_the_passages_come_first_then_pieces_then_the_verified_answer(library: Library) -> None:
    generator = FakeGenerator("Anna Neri bought the mill in 1950 [1].")
    events = list(answerer(library, generator).events("Who bought the mill?"))
    assert isinstance(events[0], Retrieved) and isinstance(events[-1], Finished)
    assert "".join(e.text for e in events if isinstance(e, Piece)) == "Anna Neri bought the mill in 1950 [1]."
    answer = events[-1].answer
    (citation,) = answer.citations
    assert MILL[citation.start : citation.end] == citation.quote
    assert "Anna Neri bought" in citation.quote and citation.document_id == "mill.md"
    assert answer.text == "Anna Neri bought the mill in 1950 [1]." and not answer.abstained
    assert answer.passages == events[0].passages


def test_the_model_sees_the_evidence_and_the_question(library: Library) -> None:
    generator = FakeGenerator("Anna Neri bought the mill in 1950 [1].")
    answerer(library, generator).answer("Who bought the mill?")
    ((system, user),) = generator.asked
    assert system.role == "system" and "Anna Neri bought the mill" in user.content
    assert user.content.rstrip().endswith("Question: Who bought the mill?")


def test_an_invented_marker_is_replaced_by_the_quote_that_supports_the_sentence(library: Library) -> None:
    answer = answerer(library, FakeGenerator("The mill was built in 1820 [9].")).answer("When was the mill built?")
    assert answer.text == "The mill was built in 1820 [1]."
    assert answer.citations[0].quote == "The mill at Borgo was built in 1820."


def test_a_sentence_that_nothing_supports_is_left_out(library: Library) -> None:
    reply = "The mill was built in 1820 [1]. Its owner Zeno Kappa lives in Oslo since 2011 [1]."
    answer = answerer(library, FakeGenerator(reply)).answer("When was the mill built?")
    assert answer.text == "The mill was built in 1820 [1]."


def test_an_answer_that_nothing_supports_becomes_a_refusal(library: Library) -> None:
    answer = answerer(library, FakeGenerator("Zeno Kappa in 2011 [1].")).answer("Who sold the mill?")
    assert answer.abstained and answer.citations == () and answer.reason
    assert answer.passages  # the nearest are shown all the same


def test_the_models_refusal_is_spoken_in_the_questions_language_and_never_streamed(library: Library) -> None:
    events = list(answerer(library, FakeGenerator("NOT FOUND")).events("Perché fu chiuso il porto di Lido?"))
    answer = events[-1].answer
    assert answer.abstained and answer.language == "it"
    assert answer.text == "I documenti non rispondono a questa domanda."
    assert not any(isinstance(e, Piece) for e in events)


def test_where_the_model_would_rather_refuse_not_a_word_is_shown(library: Library) -> None:
    generator = FakeGenerator("Anna Neri bought the mill in 1950 [1].", first_token={"NOT": math.log(0.9)})
    events = list(Answerer(library, generator, least_answerable=0.5).events("Who bought the mill?"))
    assert [type(event) for event in events] == [Retrieved, Finished]
    assert events[-1].answer.abstained and generator.replies[0].closed


def test_how_readily_it_refuses_is_a_setting(library: Library) -> None:
    reply = "Anna Neri bought the mill in 1950 [1]."
    assert Answerer(library, FakeGenerator(reply), least_answerable=1.0).answer("Who bought the mill?").abstained
    assert not Answerer(library, FakeGenerator(reply), least_answerable=0.0).answer("Who bought the mill?").abstained


def test_a_subject_that_is_nowhere_near_is_refused_without_asking_the_model(tmp_path: Path) -> None:
    generator = FakeGenerator("The mill [1].")
    with Library.open(tmp_path / "library", FakeEmbedder(name="e5"), create=True) as library:
        library.add_documents([Document("mill.md", MILL, language="en")])
        answer = answerer(library, generator).answer("Which vaccine needs freezing?")
    assert answer.abstained and answer.passages and generator.asked == []


def test_an_empty_library_refuses(tmp_path: Path, fake_embedder: FakeEmbedder) -> None:
    with Library.open(tmp_path / "empty", fake_embedder, create=True) as library:
        answer = answerer(library, FakeGenerator("x")).answer("Is anybody there?")
    assert answer.abstained and answer.passages == ()


def test_a_follow_up_is_searched_with_the_question_before_it(library: Library) -> None:
    generator = FakeGenerator("Anna Neri bought the mill in 1950 [1].")
    history = [Turn("user", "Who bought the mill?"), Turn("agent", "Anna Neri bought it.")]
    answer = answerer(library, generator).answer("And when?", history)
    assert answer.question == "And when?"
    assert "Who bought the mill? And when?" in generator.asked[0][1].content


def test_closing_the_events_stops_the_model(library: Library) -> None:
    generator = FakeGenerator("Anna Neri bought the mill in 1950 [1].")
    events = answerer(library, generator).events("Who bought the mill?")
    next(event for event in events if isinstance(event, Piece))
    events.close()  # type: ignore[attr-defined]
    assert generator.replies[0].closed


def test_the_same_question_gives_the_same_answer(library: Library) -> None:
    ask = answerer(library, FakeGenerator("Anna Neri bought the mill in 1950 [1]."))
    first, second = ask.answer("Who bought the mill?"), ask.answer("Who bought the mill?")
    assert (first.text, first.citations, first.receipt) == (second.text, second.citations, second.receipt)


def test_the_receipt_names_what_the_answer_depends_on(library: Library) -> None:
    receipt = answerer(library, FakeGenerator("The mill [1].")).answer("Who bought the mill?").receipt
    assert receipt["embedder_sha256"] == "fake-1" and receipt["settings"]["model_sha256"] == "fake-1"
    assert len(str(receipt["library_sha256"])) == 64 and receipt["passages"]


def test_timings_are_in_order(library: Library) -> None:
    timings = answerer(library, FakeGenerator("Anna Neri [1].")).answer("Who bought the mill?").timings
    assert 0 < timings["retrieve_s"] <= timings["first_token_s"] <= timings["total_s"]
    assert timings["prompt_tokens"] > 0 and timings["output_tokens"] > 0


@pytest.mark.parametrize("question", ["", "   ", "?!", "\n\t"])
def test_an_empty_question_is_refused(question: str) -> None:
    with pytest.raises(BadQuestion, match="empty"):
        check_question(question, most_chars=100)


def test_a_question_far_too_long_is_refused() -> None:
    with pytest.raises(BadQuestion, match="100,000"):
        check_question("a" * 100_000, most_chars=2000)


def test_white_space_in_a_question_is_folded() -> None:
    assert check_question("  who\n is  it? ", most_chars=100) == "who is it?"


class Knowing:
    """A reader that finds one word wherever it stands, and says so."""

    name, fingerprint = "knowing", "knowing-1"

    def __init__(self, word: str) -> None:
        self._word = word
        self.asked: list[str] = []

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        self.asked.append(question)
        return [self._reading(passage.chunk.text) for passage in passages]

    def support(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [0.5 for _ in pairs]

    def _reading(self, text: str) -> Reading:
        offsets = np.array([match.span() for match in re.finditer(r"\w+", text)])
        held = np.array([text[start:end] == self._word for start, end in offsets])
        start, end = offsets[int(held.argmax())]
        sure = 90.0 if held.any() else -90.0  # far more than hashed words' cosines
        return Reading(sure, start, end, sure, offsets, np.where(held, 90.0, -90.0).astype(np.float32))


def test_the_evidence_is_chosen_around_what_the_reader_found(library: Library) -> None:
    generator = FakeGenerator("Carlo Bassi [1].")
    reader = Knowing("Bassi")
    asking = Answerer(library, generator, least_answerable=0.0, evidence_tokens=50, reader=reader)
    answer = asking.answer("Who bought the mill?")
    answerer(library, generator, evidence_tokens=50).answer("Who bought the mill?")
    with_reader, without = (messages[1].content for messages in generator.asked)
    assert "# Il porto\n[1]" in with_reader and "Carlo Bassi" in with_reader
    assert "# The mill\n[1]" in without and "Anna Neri" in without
    assert answer.receipt["settings"]["reader_sha256"] == "knowing-1"  # type: ignore[index]


def test_each_use_of_the_reader_may_be_left(library: Library) -> None:
    generator = FakeGenerator("Anna Neri bought the mill [1].")
    asking = Answerer(library, generator, least_answerable=0.3, reader=Knowing("Rossi"), uses={"support"})
    answer = asking.answer("Who bought the mill?")
    assert answer.receipt["signs"]["answers"] is None  # type: ignore[index]
    assert answer.receipt["settings"]["reader_uses"] == ["support"]  # type: ignore[index]
    assert generator.asked


def test_reader_and_search_are_asked_the_whole_follow_up(library: Library) -> None:
    reader = Knowing("Neri")
    library.reranker = reranker = Ordering()
    asking = Answerer(library, FakeGenerator("Anna Neri [1]."), least_answerable=0.0, reader=reader)
    asking.answer("And who bought it?", [Turn("user", "When was the mill built?")])
    assert reader.asked == reranker.asked == ["When was the mill built? And who bought it?"]


class Ordering:
    """A reranker that leaves all as it is."""

    name, fingerprint = "ordering", "ordering-1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def scores(self, question: str, passages: Sequence[Passage]) -> NDArray[np.float32]:
        self.asked.append(question)
        return np.zeros(len(passages), dtype=np.float32)
