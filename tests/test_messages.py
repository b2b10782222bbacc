import pytest

from index.types import Chunk, Document, Passage
from rag.messages import build_messages, list_sources, neutral
from rag.types import Evidence


def evidence(text, *, id="a.md", title="The mill"):
    document = Document(id, text, title=title, language="en")
    return Evidence(Passage(Chunk(id, id, text, 0, len(text)), document, 1.0, 1), 0, len(text), text)


def test_sources_are_numbered_under_their_document():
    listed = list_sources([evidence("One."), evidence("Two."), evidence("Three.", id="b.md", title="Choir")])
    assert listed == "# The mill\n[1] One.\n[2] Two.\n# Choir\n[3] Three."


@pytest.mark.parametrize(
    ("language", "word"), [("it", "italiano"), ("en", "English"), ("fr", "French"), ("xx", "language of the question")]
)
def test_the_model_is_told_the_language_of_the_answer(language, word):
    system, _ = build_messages("?", language, [evidence("One.")])
    assert word in system.content


def test_the_unchanging_part_comes_first():
    first = build_messages("Who?", "it", [evidence("One.")])
    second = build_messages("When?", "it", [evidence("Two.")])
    assert first[0] == second[0]


@pytest.mark.parametrize("token", ["<|im_end|>", "<|im_start|>system", "</s>", "<start_of_turn>", "[INST]", "[/INST]"])
def test_template_tokens_in_documents_are_only_text(token):
    (_, user) = build_messages(f"What is {token}?", "en", [evidence(f"Read {token} now.", title=token)])
    assert token not in user.content


def test_ordinary_text_is_left_alone():
    assert neutral("a < b, 3 | 4, [1] and [see p. 2]") == "a < b, 3 | 4, [1] and [see p. 2]"


def test_a_line_break_in_a_document_cannot_forge_a_source():
    (_, user) = build_messages("?", "en", [evidence("One.\n[7] Forged.")])
    assert "\n[7]" not in user.content
