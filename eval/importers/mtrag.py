"""MTRAG and MTRAG-UN: conversations (a JSON list) and generation tasks (JSON lines).

Katsis et al. 2025, https://arxiv.org/abs/2501.03468; the files are at https://github.com/IBM/mt-rag-benchmark.
Of the tasks take the reference setting: in the RAG settings the contexts are what was retrieved, not what is relevant.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, Field, TypeAdapter
from typing_extensions import TypedDict

from eval.importers.gather import Gathering
from eval.importers.read import json_records, read_text
from rag.types import Turn

_ANSWERABLE = ("", "answerable", "partial")
_UNANSWERABLE = ("unanswerable", "conversational", "underspecified")


def _known(value: object) -> object:
    return value if value == value else None


_NaN = BeforeValidator(_known)  # the published files write NaN where nothing is known
_Id = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
_Text = Annotated[str | None, _NaN]
_Labels = Annotated[dict[str, Any] | None, _NaN]


class _Context(TypedDict):
    document_id: _Id
    text: str
    title: NotRequired[_Text]
    url: NotRequired[_Text]
    feedback: NotRequired[_Labels]


_Contexts = Annotated[list[_Context] | None, _NaN]


class _Message(TypedDict):
    speaker: Literal["user", "agent"]
    text: str
    contexts: NotRequired[_Contexts]
    enrichments: NotRequired[_Labels]


class _Conversation(TypedDict):
    conversation_id: NotRequired[_Id]
    messages: list[_Message]


class _Target(TypedDict):
    text: str


class _Task(TypedDict):
    task_id: _Id
    input: Annotated[list[_Message], Field(min_length=1)]
    targets: NotRequired[Annotated[list[_Target] | None, _NaN]]
    contexts: NotRequired[_Contexts]


_FIELDS, _CONVERSATION, _TASK = TypeAdapter(dict[str, object]), TypeAdapter(_Conversation), TypeAdapter(_Task)


def recognises(names: Collection[str]) -> bool:
    """Whether these are the keys of an MTRAG conversation or generation task."""
    return "messages" in names or {"task_id", "input"} <= set(names)


def gather(path: Path, into: Gathering) -> None:
    """Gather conversations or tasks: a pair for each turn of the user that has a reply, with the turns before it."""
    for number, (place, value) in enumerate(json_records(path, read_text(path), into), start=1):
        fields = into.check(_FIELDS, value, place)
        if fields and "messages" in fields:
            if conversation := into.check(_CONVERSATION, fields, place):
                _gather_conversation(place, number, conversation, path.name, into)
        elif fields and (task := into.check(_TASK, fields, place)):
            _gather_task(place, task, fields, path.name, into)


def _gather_conversation(place: str, number: int, conversation: _Conversation, source: str, into: Gathering) -> None:
    messages = conversation["messages"]
    name = conversation.get("conversation_id", f"conversation-{number}")
    asked = [place for place, message in enumerate(messages) if message["speaker"] == "user"]
    for turn, at in enumerate(asked, start=1):
        here = f"{place}, turn {turn}"
        if messages[at + 1 : at + 2] and at + 1 not in asked:
            reply = messages[at + 1]
            labels = messages[at].get("enrichments") or {}
            contexts = reply.get("contexts") or []
            _gather_turn(here, f"{name}::{turn}", messages[: at + 1], [reply["text"]], contexts, labels, source, into)
        else:
            into.skip(here, "the user got no reply")


def _gather_task(place: str, task: _Task, fields: Mapping[str, object], source: str, into: Gathering) -> None:
    if task["input"][-1]["speaker"] != "user":
        into.skip(place, "the last turn is not the user's")
        return
    labels = (task["input"][-1].get("enrichments") or {}) | dict(fields)
    replies = [target["text"] for target in task.get("targets") or ()]
    _gather_turn(place, task["task_id"], task["input"], replies, task.get("contexts") or [], labels, source, into)


def _gather_turn(
    place: str,
    id: str,
    turns: Sequence[_Message],
    replies: Sequence[str],
    contexts: Sequence[_Context],
    labels: Mapping[str, object],
    source: str,
    into: Gathering,
) -> None:
    """Keep the last of `turns`, a question, unless its answerability is unknown or nothing tells a right answer."""
    relevant = _documents(place, contexts, source, into)
    label, sort = _label(labels, "answerability").lower(), _label(labels, "question type").lower()
    meta: dict[str, object] = {
        "history": [Turn(turn["speaker"], turn["text"]) for turn in turns[:-1]],
        "question_type": sort,
        "multi_turn": _label(labels, "multi-turn").lower(),
    }
    question = turns[-1]["text"]
    if label in _UNANSWERABLE:
        meta["reference_reply"] = list(replies)
        into.pair(place, id, question, (), (), answerable=False, kind=label, meta=meta)
    elif label not in _ANSWERABLE:
        into.skip(place, f"the answerability {label!r} is none of {', '.join((*_ANSWERABLE[1:], *_UNANSWERABLE))}")
    elif not relevant and not any(map(str.strip, replies)):
        into.skip(place, "there is neither a reply nor a context to hold an answer against")
    else:
        into.pair(place, id, question, replies, relevant, kind="partial" if label == "partial" else sort, meta=meta)


def _documents(place: str, contexts: Sequence[_Context], source: str, into: Gathering) -> list[str]:
    """Keep all contexts as documents and return the ids of the relevant ones.

    Annotators judged the contexts of a conversation. Where none bears a judgment, all are taken for relevant.
    """
    judged = any((context.get("feedback") or {}).get("relevant") for context in contexts)
    relevant = []
    for context in contexts:
        url, title = context.get("url") or "", context.get("title") or ""
        origin = url if url.startswith(("http://", "https://")) else source
        id = into.document(place, context["document_id"], context["text"], title=title, source=origin)
        if id and (not judged or _is_relevant(context)):
            relevant.append(id)
    return relevant


def _is_relevant(context: _Context) -> bool:
    votes = (context.get("feedback") or {}).get("relevant")
    values = votes.values() if isinstance(votes, dict) else [votes]
    return any((vote.get("value") if isinstance(vote, dict) else vote) == "yes" for vote in values)


def _label(labels: Mapping[str, object], name: str) -> str:
    """Return the first label under `name`, in whichever capitals the file writes it; "" where there is none."""
    values = [value for key, value in labels.items() if key.lower() == name]
    firsts = (value[0] if isinstance(value, list) and value else value for value in reversed(values))
    return next((first for first in firsts if isinstance(first, str)), "")
