"""The best passages put in order again by a model that reads question and passage together, if the user names one."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelUnavailable
from index.search import says_the_same, spread
from index.types import Passage

RERANKED = 20  # passages; each is read whole, so more of them are waited for


class Reranker(Protocol):
    """Tells how well passages answer a question. Implementations: CrossEncoderReranker, rag's Reader, a fake."""

    name: str

    @property
    def fingerprint(self) -> str:
        """A hash of the weights' content."""
        ...

    def scores(self, question: str, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Return a score for each of `passages` `(n,)`; higher is better, and only their order means anything."""
        ...


class CrossEncoderReranker:
    """A folder that sentence-transformers' `CrossEncoder(path)` opens. The model is loaded when it is first asked.

    Safe to call from several threads; they take turns. Raises ModelUnavailable where the folder holds no such model.
    """

    def __init__(self, path: Path, *, name: str, fingerprint: str) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._path = path
        self._lock = threading.Lock()

    def scores(self, question: str, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Return a score for each of `passages` `(n,)`."""
        with self._lock:
            pairs = [(question, _told(passage)) for passage in passages]
            found = self._model.predict(pairs, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32).reshape(len(passages))

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import CrossEncoder

        if not self._ranks():
            raise ModelUnavailable(
                f"{self.name} is not a reranker: name a cross-encoder with one score, as a folder or hf:"
            )
        try:
            return CrossEncoder(str(self._path), local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                f"{self._path} is not a folder that sentence-transformers can open: {error}"
            ) from error

    def _ranks(self) -> bool:
        """Whether the model was trained to give one score; any other would be given a head of random numbers."""
        try:
            config = json.loads((self._path / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        trained = any(str(name).endswith("ForSequenceClassification") for name in config.get("architectures") or ())
        return trained and len(config.get("id2label", [0, 1])) == 1


def reranked(question: str, passages: Sequence[Passage], reranker: Reranker, *, places: int) -> list[Passage]:
    """Return `passages` with the best of them in order again by `reranker`; what scores the same keeps its order.

    Its score becomes theirs, not to be compared with those of the passages after them. Repetitions, and what exceeds a
    document's share of `places`, are at the end.
    """
    if not passages:
        return []
    best, others = passages[:RERANKED], passages[RERANKED:]
    found = reranker.scores(question, best).tolist()
    ordered = sorted(zip(found, best, strict=True), key=lambda pair: (-pair[0], pair[1].rank))
    told = [replace(passage, score=score, scores={**passage.scores, "reranker": score}) for score, passage in ordered]
    return [replace(passage, rank=rank) for rank, passage in enumerate(_varied([*told, *others], places), start=1)]


def _varied(passages: Sequence[Passage], places: int) -> list[Passage]:
    documents = {place: passage.document.id for place, passage in enumerate(passages)}

    def same(place: int, other: int) -> bool:
        texts = passages[place].chunk.text, passages[other].chunk.text
        return documents[place] != documents[other] and says_the_same(*texts)

    first, rest = spread(range(len(passages)), documents, same, places=places)
    return [passages[place] for place in [*first, *rest]]


def _told(passage: Passage) -> str:
    title = passage.document.title
    return f"{title}\n{passage.chunk.text}" if title else passage.chunk.text
