"""Chunks: exact offsets in every document, however odd."""

import pytest
from conftest import FakeEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunk import find_headings, split_document
from index.types import Chunk, Document

PARAGRAPH = "The council met on Monday. It chose two people to lead the firm. Nobody had expected that.\n\n"


def chunks_of(text: str, *, chunk_tokens: int = 32, language: str = "en", pages: tuple[int, ...] = ()) -> list[Chunk]:
    document = Document("doc", text, language=language, pages=pages)
    chunks = split_document(document, FakeEmbedder().tokenize, chunk_tokens=chunk_tokens)
    assert "".join(chunk.text for chunk in chunks) == text
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in chunks)
    return chunks


def test_repeated_paragraph_keeps_its_own_offsets() -> None:
    paragraph = "The council met on Monday and then it chose two people to lead the whole firm for a year.\n\n"
    chunks = chunks_of(paragraph * 5)
    assert [chunk.start for chunk in chunks] == [i * len(paragraph) for i in range(5)]
    assert len({chunk.id for chunk in chunks}) == 5


def test_chunks_end_where_sentences_end() -> None:
    for chunk in chunks_of(PARAGRAPH * 3, chunk_tokens=48):
        assert chunk.text.rstrip().endswith(".")


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab 7.,\n\t漢。😀\u200d\ufe0fé#"), min_size=1, max_size=400))
def test_any_text_is_cut_without_loss(text: str) -> None:
    chunks_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000,
        "漢" * 50_000,
        "😀👨\u200d👩\u200d👧" * 10_000,
        "one,two,three," * 10_000,
        "word " * 30_000,
        "line\r\n" * 10_000,
        " " * 100_000 + "a",
        "a" + "\n" * 100_000 + "b",
    ],
    ids=["one word", "ideographs", "emoji", "clauses", "words", "crlf", "blank before", "blank between"],
)
def test_text_without_sentences_is_cut_small_enough(text: str) -> None:
    tokenize = FakeEmbedder().tokenize
    assert all(len(tokenize(chunk.text)) <= 34 for chunk in chunks_of(text))


def test_family_emoji_is_not_cut_apart() -> None:
    family = "👨\u200d👩\u200d👧\u200d👦"
    assert all(chunk.text.count(family) * len(family) == len(chunk.text) for chunk in chunks_of(family * 500))


def test_chunk_knows_its_page_and_heading() -> None:
    text = "# First part\n\n" + PARAGRAPH + "Second part\n\n" + PARAGRAPH
    second = text.index("Second part")
    chunks = chunks_of(text, pages=(0, second))
    assert [(chunk.page, chunk.heading) for chunk in chunks] == [(1, "First part"), (2, "Second part")]


def test_heading_is_not_left_at_the_end_of_the_chunk_before() -> None:
    chunks = chunks_of(PARAGRAPH + "## Next\n\nIt went on for more than a year.\n", chunk_tokens=33)
    assert chunks[1].text.startswith("## Next")


def test_last_words_and_sentences_are_no_headings() -> None:
    text = "A title\n\nA sentence.\n\n- a list item\n\n2024\n\nAnother title\n\nThe end\n"
    assert [heading for _, heading in find_headings(text)] == ["A title", "Another title"]


def test_row_of_a_table_is_no_heading() -> None:
    assert find_headings("Titolo\n\n| Voci |\n\nTesto.\n\n| Altre voci\n\nAltro testo.") == [(0, "Titolo")]


def test_too_small_chunks_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 32, not 8"):
        split_document(Document("doc", "text"), FakeEmbedder().tokenize, chunk_tokens=8)
