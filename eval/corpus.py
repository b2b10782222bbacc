"""The documents that gold pairs are about: read from files, made into a library once."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from eval.data import Gold
from index.embed import Embedder
from index.errors import BadGold
from index.library import Library, Progress
from index.load import Failure, SourceFile, find_files, load_documents
from index.types import Document
from index.windows import CUTTING

TextOf = Callable[[str], str | None]
"""A document's text by its id, None where there is no such document."""


def read_corpus(corpus: Path) -> list[Document]:
    """Return the documents in `corpus`, a file or folder.

    Raises BadGold where anything in it cannot be read: figures over half a corpus would mislead.
    """
    found = find_files([corpus])
    failures = list(found.failed)
    documents = [] if failures else list(_documents(found.files, failures))
    if failures:
        more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
        raise BadGold(f"This corpus cannot be used: {'; '.join(map(str, failures[:5]))}{more}.")
    return documents


def library_for(
    corpus: Path, cache: Path, embedder: Embedder, *, on_progress: Callable[[Progress], None] | None = None
) -> Library:
    """Return a library of exactly the documents in `corpus`; made under `cache` the first time.

    Its folder is named by what it is made from, so a changed corpus gets another. An interrupted making goes on next
    time. Raises BadGold as `read_corpus` does.
    """
    documents = read_corpus(corpus)
    library = Library.open(cache / _fingerprint(documents, embedder), embedder, create=True)
    try:
        library.add_documents(documents, on_progress=on_progress)
    except BaseException:
        library.close()
        raise
    return library


def texts_of(library: Library) -> TextOf:
    """Return a look-up of the library's documents."""
    known = {row.id for row in library.documents()}
    return lambda id: library.document(id).text if id in known else None


def check_relevant(golds: Sequence[Gold], known: Iterable[str]) -> None:
    """Raise BadGold where none of the relevant documents is among the `known` ids: the pairs belong to other ones."""
    relevant = [id for gold in golds if gold.answerable for id in gold.relevant]
    if relevant and not set(known) & set(relevant):
        raise BadGold(
            f"The library holds none of the documents that the gold pairs call relevant, such as {relevant[0]!r}: "
            "choose the library or corpus they were written for, or correct their ids (fonte list)."
        )


def _documents(files: Sequence[SourceFile], failures: list[Failure]) -> Iterator[Document]:
    # The user named the corpus: however large it is, it is meant.
    largest_mb = max(file.path.stat().st_size for file in files) / 1e6 + 1
    for _, document in load_documents(files, on_failure=failures.append, max_file_mb=largest_mb):
        if document:
            yield document


def _fingerprint(documents: Sequence[Document], embedder: Embedder) -> str:
    digest = hashlib.sha256(f"{embedder.fingerprint}\n{CUTTING}".encode())
    for document in documents:
        digest.update(f"\n{json.dumps([document.id, document.sha256])}".encode())
    return digest.hexdigest()[:32]
