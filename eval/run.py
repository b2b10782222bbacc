"""Ask every question of a gold file, row by row on the disk, and go on where an interrupted run stopped."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

import index
import prompts
import rag
from eval.data import Gold, Quote, Row, append_row, fingerprint, read_run, write_run, write_text
from eval.report import write_scores
from eval.scores import Scores, TextOf, score
from index.chunk import CHUNK_TOKENS, CHUNKER
from index.embed import Embedder
from index.errors import BadGold, BadRun, FonteError
from index.library import Library, Progress
from index.load import Failure, SourceFile, find_files, load_documents
from index.types import Document
from rag.types import Answer, Turn

RUN, SCORES, SETTINGS = "run.jsonl", "scores.json", "run.json"
OnProgress = Callable[[int, int], None]  # questions done, of how many

# A server that went away or a model that does not load fails every question: better to stop than to fill the run.
_MOST_FAILURES_IN_A_ROW = 5
# Several of the best chunks may come from one document, so more are fetched than documents are scored.
_CHUNKS_PER_DOCUMENT = 4


class Answerer(Protocol):
    """Whatever answers a question: the system that is evaluated."""

    def answer(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """Return the answer. Raises FonteError."""
        ...


def evaluate(
    golds: Sequence[Gold],
    answerer: Answerer | None,
    library: Library,
    out: Path,
    *,
    settings: Mapping[str, object] | None = None,
    retrieval_only: bool = False,
    k: int = 10,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
) -> Scores:
    """Return the scores of all of `golds`; `out` then holds run.jsonl, run.json (its settings) and scores.json.

    `settings` names whatever the answers depend on and is not known here (model and its hash, token budgets), as JSON
    values. Questions that `out` already answers are not asked again, those that failed are; `fresh` starts over.
    With `retrieval_only` no answerer is needed: `k` documents are retrieved for each question without its history.
    Raises BadRun where `out` holds a run with other settings or is in use, BadGold where the pairs do not belong to
    this library, and the last error where five questions in a row failed.
    """
    if answerer is None and not retrieval_only:
        raise ValueError("answerer is None")
    _check_relevant(golds, library)
    depends_on = _depends_on(golds, library, k if retrieval_only else None) | dict(settings or {})
    ask = _retrieving(library, k) if answerer is None or retrieval_only else _answering(answerer)
    with _held(out):
        rows = {} if fresh else {row.id: row for row in _rows_so_far(out, depends_on)}
        write_text(out / SETTINGS, json.dumps(depends_on, indent=2, ensure_ascii=False) + "\n")
        write_run(out / RUN, rows.values())
        (out / SCORES).unlink(missing_ok=True)  # no scores beside a run that they do not belong to
        for row in _ask_rest(golds, rows, ask, on_progress):
            append_row(out / RUN, row)
            rows[row.id] = row
        scores = score(golds, rows.values(), _text_of(library), retrieval_only=retrieval_only, settings=depends_on)
        write_scores(scores, out / SCORES)
    return scores


def library_for(
    corpus: Path, cache: Path, embedder: Embedder, *, on_progress: Callable[[Progress], None] | None = None
) -> Library:
    """Return a library of exactly the documents in `corpus`, a file or folder; made under `cache` the first time.

    Its folder is named by what it is made from, so a changed corpus gets another. An interrupted making goes on next
    time. Raises BadGold where anything in `corpus` cannot be read: figures over half a corpus would mislead.
    """
    found = find_files([corpus])
    failures = list(found.failed)
    documents = [] if failures else list(_read_corpus(found.files, failures))
    if failures:
        more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
        raise BadGold(f"This corpus cannot be used: {'; '.join(map(str, failures[:5]))}{more}.")
    library = Library.open(cache / _corpus_fingerprint(documents, embedder), embedder, create=True)
    try:
        library.add_documents(documents, on_progress=on_progress)
    except BaseException:
        library.close()
        raise
    return library


def _read_corpus(files: Sequence[SourceFile], failures: list[Failure]) -> Iterator[Document]:
    # The user named the corpus: however large it is, it is meant.
    largest_mb = max(file.path.stat().st_size for file in files) / 1e6 + 1
    for _, document in load_documents(files, on_failure=failures.append, max_file_mb=largest_mb):
        if document:
            yield document


def _corpus_fingerprint(documents: Sequence[Document], embedder: Embedder) -> str:
    digest = hashlib.sha256(f"{embedder.fingerprint}\n{CHUNKER}/{CHUNK_TOKENS}".encode())
    for document in documents:
        digest.update(f"\n{json.dumps([document.id, document.sha256])}".encode())
    return digest.hexdigest()[:32]


def _ask_rest(
    golds: Sequence[Gold], rows: Mapping[str, Row], ask: Callable[[Gold], Row], on_progress: OnProgress | None
) -> Iterator[Row]:
    """Yield the row of each question that has none yet."""
    rest = [gold for gold in golds if gold.id not in rows]
    done, failures = len(golds) - len(rest), 0
    for place, gold in enumerate(rest):
        if on_progress:
            on_progress(done + place, len(golds))
        try:
            row = ask(gold)
            failures = 0
        except FonteError as error:
            row = Row(gold.id, error=str(error))
            failures += 1
            if failures == _MOST_FAILURES_IN_A_ROW:
                raise
        yield row
    if on_progress:
        on_progress(len(golds), len(golds))


def _answering(answerer: Answerer) -> Callable[[Gold], Row]:
    return lambda gold: row_of(gold.id, answerer.answer(gold.question, gold.meta.get("history", [])))


def row_of(id: str, answer: Answer) -> Row:
    """Return the row of a run for `answer`."""
    times = answer.timings
    return Row(
        id=id,
        answer=answer.text,
        abstained=answer.abstained,
        retrieved=_once(passage.document.id for passage in answer.passages),
        citations=_once(citation.document_id for citation in answer.citations),
        quotes=tuple(Quote(c.document_id, c.start, c.end, c.quote, c.support) for c in answer.citations),
        first_token_s=times.get("first_token_s"),
        total_s=times.get("total_s"),
        prompt_tokens=_whole(times.get("prompt_tokens")),
        output_tokens=_whole(times.get("output_tokens")),
    )


def _retrieving(library: Library, k: int) -> Callable[[Gold], Row]:
    def retrieve(gold: Gold) -> Row:
        start = time.perf_counter()
        passages = library.search(gold.question, k=k * _CHUNKS_PER_DOCUMENT)
        total_s = time.perf_counter() - start
        return Row(gold.id, retrieved=_once(p.document.id for p in passages)[:k], total_s=total_s)

    return retrieve


def _once(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _depends_on(golds: Sequence[Gold], library: Library, k: int | None) -> dict[str, object]:
    """Return what the rows of a run depend on, as far as it is known here; `k` is None where questions are answered."""
    known = {
        "gold": fingerprint(golds),
        "library": library.fingerprint,
        "embedder": library.embedder.fingerprint,
        "code": _code_fingerprint(),
        "retrieval_only": k is not None,
    }
    return known | ({"prompts": prompts.fingerprint()} if k is None else {"k": k})


def _code_fingerprint() -> str:
    """Return a SHA-256 over the code that answers: rows made before a change must not pass for rows made after."""
    digest = hashlib.sha256()
    for package in (index, prompts, rag):
        for file in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _rows_so_far(out: Path, depends_on: Mapping[str, object]) -> list[Row]:
    """Return the rows that need not be made again. Raises BadRun where they were made with other settings."""
    if not (out / RUN).exists():
        return []
    before = _read_settings(out / SETTINGS)
    if differ := sorted(name for name in {*before, *depends_on} if before.get(name) != depends_on.get(name)):
        raise BadRun(
            f"{out} holds a run that differs in: {', '.join(differ)}. "
            "Choose another folder with --out, or start over with --fresh."
        )
    return [row for row in read_run(out / RUN) if not row.error]


def _read_settings(path: Path) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # missing or damaged: then nobody knows, and everything differs
        return {}


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Hold the folder `out`, made where it is missing, against a second evaluation."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout:
        raise BadRun(f"Another evaluation is writing to {out}: wait for it, or choose another --out.") from None
    except (FileExistsError, NotADirectoryError):
        raise BadRun(f"{out} is a file: choose a folder with --out.") from None


def _text_of(library: Library) -> TextOf:
    """Return a look-up of a document's text by its id, None where the library has no such document."""
    known = {row.id for row in library.documents()}
    return lambda id: library.document(id).text if id in known else None


def _check_relevant(golds: Sequence[Gold], library: Library) -> None:
    """Raise BadGold where the library holds none of the relevant documents: the pairs belong to other ones."""
    relevant = [id for gold in golds if gold.answerable for id in gold.relevant]
    if relevant and not {row.id for row in library.documents()} & set(relevant):
        raise BadGold(
            f"The library holds none of the documents that the gold pairs call relevant, such as {relevant[0]!r}: "
            "choose the library or corpus they were written for, or correct their ids (fonte list)."
        )
