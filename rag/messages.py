"""Evidence and question to the messages that the model reads. Pure; the unchanging part first, for its cache."""

import re
from collections.abc import Sequence

import prompts
from rag.generate import Message
from rag.types import Evidence

_LANGUAGE_NAMES = {
    "ar": "Arabic", "cs": "Czech", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "fr": "French",
    "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip
PROMPTS = ("answer", "question", "refusal")  # that an answer depends on
# What begins a special token of the usual chat templates: in a document it is text and nothing else.
_SPECIAL_TOKEN = re.compile(r"<(?=[|｜/]|s>|(?:start|end)_of_turn)|\[(?=/?INST\]|/?SYS)", re.IGNORECASE)


def build_messages(question: str, language: str, evidence: Sequence[Evidence]) -> list[Message]:
    """Return the chat messages that ask `question` over `evidence`, numbered from 1."""
    answer_language = _LANGUAGE_NAMES.get(language, "the language of the question")
    if language == "it":
        system = prompts.render("answer", "it")
    else:
        system = prompts.render("answer", "en", answer_language=answer_language)
    asked = prompts.render("question", language, sources=list_sources(evidence), question=neutral(question))
    return [Message("system", system), Message("user", asked)]


def list_sources(evidence: Sequence[Evidence]) -> str:
    """Return the numbered evidence, one piece a line, under the title of each document."""
    lines = []
    document = None
    for number, piece in enumerate(evidence, start=1):
        if piece.passage.document.id != document:
            document = piece.passage.document.id
            lines.append(f"# {neutral(piece.passage.document.title)}")
        lines.append(f"[{number}] {neutral(' '.join(piece.text.split()))}")
    return "\n".join(lines)


def neutral(text: str) -> str:
    """Return `text` with nothing in it that a chat template would read as a special token."""
    return _SPECIAL_TOKEN.sub(lambda match: match.group() + " ", text)
