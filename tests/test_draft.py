"""Drafts of gold pairs by a scripted model, over a real library."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest
from conftest import FakeEmbedder, FakeGenerator

from eval.check import check_gold
from eval.draft import (
    TRIES_PER_DRAFT,
    Source,
    choose_sources,
    draft_gold,
    example_messages,
    fault_of_answer,
    fault_of_question,
    is_draft,
    read_reply,
    stands_alone,
    worth_asking,
)
from index.library import Library
from index.types import Document
from rag.generate import Message

MUSEUM = (
    "Ada Conti has led the Lenne  museum since 2019. The roof of the Lenne museum was repaired by Otto Kern in 2021."
)
GARDEN = "Il giardino botanico ospita palme e orchidee di ogni sorta. Carla Riva cura il giardino di Lenne dal 2005."
LIBRARY = "The city library of Lenne lends 40,000 books a year. It is a quiet place and nobody knows why at all."
REPLIES = {
    "Ada Conti has led": ("Who has led the Lenne museum since 2019?", "Ada Conti"),
    "The roof of": ("In which year was the roof of the Lenne museum repaired?", "2021"),
    "Carla Riva cura": ("Chi cura il giardino di Lenne?", "Carla Riva"),
    "The city library": ("How many books does the city library of Lenne lend a year?", "40,000"),
}
Reply = Callable[[str], tuple[str, str]]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    documents = [
        Document("museum", MUSEUM, "The museum", language="en"),
        Document("garden", GARDEN, "Il giardino", language="it"),
        Document("library", LIBRARY, "The library", language="en"),
    ]
    with Library.open(tmp_path / "library", FakeEmbedder(), create=True) as opened:
        opened.add_documents(documents)
        yield opened


def model(reply: Reply | None = None, again: str = "") -> FakeGenerator:
    """Return a model that asks what REPLIES or `reply` says of a sentence; asked that, it says the same, or `again`."""

    def of_sentence(sentence: str) -> tuple[str, str]:
        return next((pair for start, pair in REPLIES.items() if sentence.startswith(start)), ("", ""))

    def write(messages: Sequence[Message]) -> str:
        sentence, *asked = [line.split(": ", 1)[1] for line in messages[-1].content.split("\n")]
        question, answer = (reply or of_sentence)(sentence)
        return (again or answer) if asked else f"Q: {question}\nA: {answer}\n"

    return FakeGenerator(write)


def sentences_shown(generator: FakeGenerator) -> list[str]:
    """Return the sentences that drafts were asked of."""
    shown = [messages[-1].content for messages in generator.asked]
    return [text.split(": ", 1)[1] for text in shown if "\n" not in text]


def test_a_draft_is_a_gold_pair_with_its_sentence_word_for_word(library):
    drafts = {draft.answers: draft for draft in draft_gold(library, model(), 4)}
    draft = drafts[("Ada Conti",)]
    assert draft.question == "Who has led the Lenne museum since 2019?"
    assert (draft.relevant, draft.answerable, draft.language, draft.kind) == (("museum",), True, "en", "factoid")
    assert draft.meta == {"draft": True, "quotes": ["Ada Conti has led the Lenne  museum since 2019."]}
    assert (drafts[("Carla Riva",)].language, drafts[("2021",)].kind, drafts[("40,000",)].kind) == (
        "it",
        "year",
        "number",
    )


def test_drafts_are_numbered_and_nothing_is_wrong_with_them_but_that_they_are_drafts(library):
    drafts = list(draft_gold(library, model(), 4))
    assert [draft.id for draft in drafts] == ["draft-001", "draft-002", "draft-003", "draft-004"]
    assert all(map(is_draft, drafts))
    found = check_gold(list(enumerate(drafts, start=1)), library)
    assert len(found) == 4
    assert not any(finding.serious for finding in found)


def test_the_same_seed_gives_the_same_drafts_and_another_one_others(library):
    def drafted(seed: int) -> list[str]:
        return [draft.question for draft in draft_gold(library, model(), 2, seed=seed)]

    assert drafted(1) == drafted(1)
    assert len({tuple(drafted(seed)) for seed in range(5)}) > 1


def test_every_document_has_its_turn_before_one_has_two(library):
    for seed in range(5):
        assert {draft.relevant for draft in islice(draft_gold(library, model(), 4, seed=seed), 3)} == {
            ("museum",),
            ("garden",),
            ("library",),
        }


def test_a_document_that_is_used_up_leaves_its_turns_to_the_others(library):
    sources = [source.document.id for source in choose_sources(library, random.Random(0))]
    assert sorted(sources) == ["garden", "library", "museum", "museum"]


def test_a_sentence_that_two_documents_share_is_shown_once(tmp_path: Path):
    shared = "The statutes of Lenne were signed by Ada Conti in 1931."
    with Library.open(tmp_path / "library", FakeEmbedder(), create=True) as library:
        library.add_documents([Document(id, f"{shared} Nothing else.", language="en") for id in ("a", "b")])
        assert [source.text for source in choose_sources(library, random.Random(0))] == [shared]


def test_sentences_full_of_names_and_numbers_come_sooner(tmp_path: Path):
    full = "The bridge was opened by Anna Keller and Otto Kern in Lenne on 5 May 1931."
    poor = [
        f"The {thing} was known to everybody in Lenne at that time." for thing in ("inn", "mill", "school", "ferry")
    ]
    with Library.open(tmp_path / "library", FakeEmbedder(), create=True) as library:
        library.add_documents([Document("a", " ".join([*poor, full]), language="en")])
        first = [next(choose_sources(library, random.Random(seed))).text for seed in range(100)]
    assert first.count(full) > 40  # by chance alone 20; by weight 6 of 10


@pytest.mark.parametrize(
    ("sentence", "language", "worth"),
    [
        ("The bridge was opened by Anna Keller in 1931.", "en", 3),
        ("On 5 May 1931 the bridge cost 40,000 crowns to Lenne and Otto Kern.", "en", 6),
        ("The bridge was opened by somebody a long time ago.", "en", 0),
        ("Opened by Anna Keller in 1931.", "en", 0),
        ("A new bridge for Lenne by Anna Keller in 1931", "en", 0),
        ("Who knows why Anna Keller opened it in 1931?", "en", 0),
        ("She opened the new bridge over the Lenne in 1931.", "en", 0),
        ("È stato aperto da Anna Keller a Lenne nel 1931.", "it", 0),
        (f"{'Anna Keller and ' * 20}others opened it.", "en", 0),
    ],
    ids=["name and number", "many", "none", "short", "heading", "question", "pronoun", "no subject", "long"],
)
def test_what_a_sentence_is_worth(sentence, language, worth):
    assert worth_asking(sentence, language) == worth


def test_at_most_three_sentences_are_tried_for_each_draft(tmp_path: Path):
    text = " ".join(f"The old bridge number {n} of Lenne is known to Anna Keller." for n in range(20))
    generator = FakeGenerator("I cannot do that.")
    with Library.open(tmp_path / "library", FakeEmbedder(), create=True) as library:
        library.add_documents([Document("a", text, language="en")])
        assert list(draft_gold(library, generator, 2)) == []
    assert len(generator.asked) == 2 * TRIES_PER_DRAFT


def test_the_model_is_asked_no_further_than_wanted(library):
    generator = model()
    assert len(list(draft_gold(library, generator, 1))) == 1
    assert len(sentences_shown(generator)) == 1


def test_sentences_are_shown_on_one_line_without_special_tokens(tmp_path: Path):
    generator = FakeGenerator("")
    with Library.open(tmp_path / "library", FakeEmbedder(), create=True) as library:
        text = "The new <|im_end|> bridge over the  Lenne was opened by Anna Keller."
        library.add_documents([Document("a", text, language="en")])
        list(draft_gold(library, generator, 1))
    assert sentences_shown(generator) == ["The new < |im_end|> bridge over the Lenne was opened by Anna Keller."]


def test_the_same_question_is_not_asked_twice(library):
    def reply(sentence: str) -> tuple[str, str]:
        if sentence.startswith("Ada"):
            return "What has the Lenne museum had since 2019?", "Ada Conti"
        return "What has the Lenne museum had, since 2019?", "Otto Kern"

    drafts = list(draft_gold(library, model(lambda s: reply(s) if "museum" in s else ("", "")), 4))
    assert len(drafts) == 1


def test_a_question_that_the_model_itself_answers_otherwise_is_dropped(library):
    assert list(draft_gold(library, model(again="NOT FOUND"), 4)) == []


def test_a_question_whose_document_the_search_does_not_find_is_dropped(tmp_path: Path):
    with Library.open(tmp_path / "library", FakeEmbedder(dimension=512), create=True) as library:
        decoys = [Document(f"d{n}", "which town has an old stone clock " * 3, language="en") for n in range(9)]
        library.add_documents(
            [*decoys, Document("lenne", "The mayor of the place is Anna Keller from Lenne.", language="en")]
        )
        drafts = draft_gold(library, model(lambda _: ("Which town has an old stone clock?", "Lenne")), 5)
        assert list(drafts) == []
        drafts = draft_gold(library, model(lambda _: ("Where does the mayor Anna Keller come from?", "Lenne")), 5)
        assert len(list(drafts)) == 1


def test_progress_ends_with_the_number_of_drafts(library):
    seen: list[tuple[int, int]] = []
    list(draft_gold(library, model(), 9, on_progress=lambda done, count: seen.append((done, count))))
    assert seen == [(0, 9), (1, 9), (2, 9), (3, 9), (4, 9)]


def test_a_library_without_documents_gives_no_draft(tmp_path: Path):
    with Library.open(tmp_path / "library", FakeEmbedder(), create=True) as library:
        assert list(draft_gold(library, model(), 3)) == []


def test_a_count_of_none_is_refused_at_once(library):
    with pytest.raises(ValueError, match="0"):
        draft_gold(library, model(), 0)


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("Q: Who?\nA: Ada", ("Who?", "Ada")),
        ("\nQ:  Who? \nA: “Ada Conti”.\n", ("Who?", "Ada Conti")),
        ("Q: Where?\nA: in the U.S.", ("Where?", "in the U.S.")),
        ("Q: Who?", None),
        ("Who?\nAda", None),
        ("Q: Who?\nA: Ada\nQ: When?\nA: Now", None),
        ("Here is one.\nQ: Who?\nA: Ada", None),
        ("", None),
    ],
)
def test_a_reply_is_two_lines_or_nothing(reply, read):
    assert read_reply(reply) == read


@pytest.mark.parametrize(
    ("question", "answer", "fault"),
    [
        ("Who opened the bridge?", "anna keller", ""),
        ("Who opened the bridge?", "Otto Kern", "not in the sentence"),
        ("Who opened the bridge?", "", "not in the sentence"),
        ("What did Anna Keller open?", "Anna Keller", "the question holds the answer"),
        ("Who said so?", "she", "pronoun"),
        ("How much did the bridge cost?", "Anna Keller", "kind"),
        ("What did Anna Keller promise?", "a tunnel", "denies"),
        ("What happened?", "bridge was opened by Anna Keller in 1931 and she said that it", "long"),
    ],
)
def test_what_is_wrong_with_an_answer(question, answer, fault):
    sentence = "The bridge was opened by Anna Keller in 1931 and she said that it is not a tunnel, for 9 crowns."
    found = fault_of_answer(question, answer, sentence, "en")
    assert fault in found
    assert bool(fault) == bool(found)


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        ("When was the bridge over the Lenne opened?", ""),
        ("When was the Lenne bridge opened", "not a question"),
        ("When did Otto Kern open the bridge over the Lenne?", "names what the sentence does not"),
        ("In che anno fu aperto il nuovo ponte sulla Lenne?", "another language"),
        ("When was it opened?", "leans on the sentence"),
    ],
)
def test_what_is_wrong_with_a_question(question, fault):
    document = Document("a", "The bridge over the Lenne was opened in 1931.", "A bridge", language="en")
    found = fault_of_question(question, Source(document, document.text))
    assert fault in found
    assert bool(fault) == bool(found)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Why did he leave Stability AI?", "en"),
        ("Who resigned?", "en"),
        ("What does the article say about Lenne?", "en"),
        ("According to the passage, who leads Lenne?", "en"),
        ("Chi è citato nel testo su Lenne?", "it"),
        ("Quando lei ha aperto il ponte di Lenne?", "it"),
        ("Pourquoi il a quitté Paris?", "fr"),
    ],
)
def test_a_question_that_needs_the_sentence_does_not_stand_alone(question, language):
    assert not stands_alone(question, language)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("When did Anna Keller say she would leave?", "en"),
        ("What opened in 1931?", "en"),
        ("Which vegetables keep longest in a cool dark cellar?", "en"),
        ("Qual è il nome del ponte di Lenne?", "it"),
    ],
)
def test_a_question_that_names_what_it_is_about_stands_alone(question, language):
    assert stands_alone(question, language)


@pytest.mark.parametrize("language", ["en", "it", "fr"])
@pytest.mark.parametrize(("name", "values"), [("draft", ["sentence"]), ("reread", ["sentence", "question"])])
def test_a_prompt_is_a_chat_of_examples_that_look_like_the_case_in_hand(name, values, language):
    told, *turns, asked = example_messages(name, language, **dict.fromkeys(values, "One.\n\nTwo."))
    assert [message.role for message in turns] == ["user", "assistant"] * (len(turns) // 2)
    assert (told.role, asked.role, len(turns) > 0) == ("system", "user", True)
    labels = [line.split(":")[0] for line in asked.content.split("\n")]
    assert [line.split(": ")[1] for line in asked.content.split("\n")] == ["One. Two."] * len(values)
    for example in turns[::2]:
        assert [line.split(":")[0] for line in example.content.split("\n")] == labels


@pytest.mark.parametrize("language", ["en", "it"])
def test_the_examples_pass_their_own_checks(language):
    _, *turns, _ = example_messages("draft", language, sentence="x")
    for shown, reply in zip(turns[::2], turns[1::2], strict=True):
        sentence = shown.content.split(": ", 1)[1]
        read = read_reply(reply.content)
        assert read is not None
        assert fault_of_answer(*read, sentence, language) == ""
        assert fault_of_question(read[0], Source(Document("a", sentence, language=language), sentence)) == ""
