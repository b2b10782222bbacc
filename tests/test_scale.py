"""Work is done once: what a large library costs is counted here, not timed."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import FakeEmbedder

from index.add import _slices
from index.catalog import Catalog
from index.chroma_child import StoreFailed
from index.embed import Vectors
from index.library import Library, Progress
from index.types import Chunk, Document
from index.vectors import ChromaVectors
from index.windows import chunk_vectors, window_texts


@pytest.fixture(autouse=True)
def without_chroma(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vector store is not what is counted here, and takes seconds to start."""

    def fill(*_: object, **__: object) -> None:
        raise StoreFailed("is left out of this test")

    monkeypatch.setattr(ChromaVectors, "fill", fill)
    monkeypatch.setattr(ChromaVectors, "warm", lambda self: None)


class NotingEmbedder(FakeEmbedder):
    """Keeps what it was given, one list a call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        return super().embed_passages(texts)


@pytest.fixture
def embedder() -> NotingEmbedder:
    return NotingEmbedder()


@pytest.fixture
def library(tmp_path: Path, embedder: NotingEmbedder) -> Iterator[Library]:
    with Library.open(tmp_path / "data", embedder, create=True) as library:
        yield library


def documents(number: int, *, prefix: str = "d") -> list[Document]:
    """Return documents of one to seven short paragraphs."""
    return [
        Document(f"{prefix}{i:04}", f"Frase {i} che parla di cosa{i % 37}.\n\n" * (1 + 20 * (i % 7)), language="it")
        for i in range(number)
    ]


@contextmanager
def statements(library: Library) -> Iterator[list[str]]:
    """Note the SQL that runs within."""
    seen: list[str] = []
    database: sqlite3.Connection = library._catalog._database
    database.set_trace_callback(seen.append)
    yield seen
    database.set_trace_callback(None)


def test_opening_reads_no_texts_and_no_vectors(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a library of 100,000 chunks is open at once; the first search reads the vectors."""
    library.add_documents(documents(100))
    library.close()
    read: list[str] = []
    query = Catalog._rows

    def noting(catalog: Catalog, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        rows = query(catalog, sql, values)
        read.append(f"{sql} {len(rows)}")
        return rows

    monkeypatch.setattr(Catalog, "_rows", noting)
    monkeypatch.setattr("index.upkeep.Upkeep.begin", lambda self: None)
    with Library.open(library.folder, library.embedder):
        assert all(int(line.rsplit(" ", 1)[1]) < 20 for line in read)
        assert not any("vector" in line or "texts" in line for line in read)


def test_a_search_reads_the_texts_of_what_it_returns_and_no_vectors(library: Library) -> None:
    library.add_documents(documents(200))
    library.search("cosa5")
    with statements(library) as seen:
        found = library.search("Frase 77 che parla di cosa3", k=5)
    texts = [line for line in seen if "FROM documents" in line and "texts" in line]
    assert len(texts) <= len({passage.document.id for passage in found})
    assert not any("FROM vectors" in line for line in seen)


def test_after_one_document_more_the_next_search_reads_its_vectors_alone(library: Library) -> None:
    library.add_documents(documents(200))
    library.search("cosa5")
    last = max(library._catalog.keys())
    library.add_documents(documents(1, prefix="new"))
    with statements(library) as seen:
        library.search("cosa5")
    (reading,) = [line for line in seen if "FROM vectors" in line]
    assert f"key > {last} " in reading


def test_texts_of_like_length_are_embedded_together(library: Library, embedder: NotingEmbedder) -> None:
    """A batch costs as much as its longest text: the padding is counted, in characters, by batches of 32."""
    library.add_documents(documents(400))
    given = [text for call in embedder.calls for text in call]
    assert len(given) >= len(library)

    def padded(texts: Sequence[str]) -> float:
        batches = [sorted(texts[i : i + 64], key=len) for i in range(0, len(texts), 64)]
        halves = [half for batch in batches for half in (batch[:32], batch[32:]) if half]
        return sum(len(half) * len(half[-1]) for half in halves) / sum(map(len, texts))

    best = padded(sorted(given, key=len))
    assert padded(given) < 1.1 * best


def test_each_passage_keeps_its_own_vector_however_they_were_sorted(library: Library) -> None:
    added = documents(150)
    library.add_documents(added)
    keys, vectors = library._catalog.vectors()
    spans = library._catalog.chunk_spans(keys.tolist())
    text = {document.id: document.text for document in added}
    own = [text[spans[key].document_id][spans[key].start : spans[key].end] for key in keys.tolist()]
    windows = [FakeEmbedder().embed_passages(windows_of(chunk)) for chunk in own]
    assert vectors == pytest.approx(chunk_vectors(windows, [windows_of(chunk) for chunk in own]), abs=1e-6)
    stored = library._catalog.windows_of(keys.tolist())
    assert len(stored) == sum(len(of_chunk) > 1 for of_chunk in windows) > 0
    for key, of_chunk in zip(keys.tolist(), windows, strict=True):
        assert stored.get(key, of_chunk) == pytest.approx(of_chunk, abs=1e-3)


def windows_of(chunk: str) -> list[str]:
    return window_texts(Document("", chunk), Chunk("", "", chunk, 0, len(chunk)), FakeEmbedder().tokenize)


def test_the_disk_is_waited_for_once_for_many_documents(library: Library) -> None:
    with statements(library) as seen:
        library.add_documents([Document(f"d{i}", f"Testo {i}.", language="it") for i in range(1_000)])
    writing = [line for line in seen if line.startswith("BEGIN IMMEDIATE")]
    assert len(library) == 1_000
    assert len(writing) <= 10


def test_nothing_is_told_as_done_before_it_is_committed(library: Library, tmp_path: Path) -> None:
    """What a sign of progress counts as the end of everything is in the file then, for another process to see."""
    whole: list[int] = []

    def told(progress: Progress) -> None:
        other = Catalog(library.folder / "catalog.sqlite")
        if progress.done == progress.total:
            whole.append(other.document_count())
        other.close()

    library.add_documents(documents(150), on_progress=told)
    assert whole == [150]


def test_progress_is_told_often_and_only_ever_grows(library: Library) -> None:
    seen: list[int] = []
    library.add_documents(documents(300), on_progress=lambda progress: seen.append(progress.done))
    assert seen == sorted(set(seen))
    assert seen[-1] == len(library)
    assert max(after - before for before, after in zip([0, *seen], seen, strict=False)) <= 128


def test_a_failure_takes_back_nothing_that_was_committed_before(library: Library, embedder: NotingEmbedder) -> None:
    embed: Callable[[Sequence[str]], Vectors] = embedder.embed_passages

    def failing(texts: Sequence[str]) -> Vectors:
        if len(embedder.calls) >= 4:
            raise KeyboardInterrupt
        return embed(texts)

    embedder.embed_passages = failing  # type: ignore[method-assign]
    added = documents(300)
    with pytest.raises(KeyboardInterrupt):
        library.add_documents(added)
    text = {document.id: document.text for document in added}
    kept = library.documents()
    assert 0 < len(kept) < 300
    for row in kept:
        assert library.document(row.id).text == text[row.id]


@pytest.mark.parametrize("chunks", [0, 1, 64, 65, 5_000])
def test_what_is_embedded_together_covers_everything_once(chunks: int) -> None:
    slices = list(_slices(chunks))
    assert [place for start, end in slices for place in range(start, end)] == list(range(chunks))
    assert all(end - start <= 512 for start, end in slices)
    assert not slices or slices[0][1] <= 64  # so that something is kept soon
