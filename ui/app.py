"""Settings to the parts that answer: embedder, library, generator. Each is opened when it is first needed."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from index.access import list_documents
from index.catalog import DocumentRow
from index.collections import check_collection
from index.embed import Embedder
from index.errors import ModelUnavailable
from index.library import Library
from index.rerank import Reranker
from index.where import Condition
from rag.answer import Answerer
from rag.catalogue import Kind
from rag.examples import example_questions as _examples
from rag.generate import Generator
from rag.reader import EMBEDDER, WEIGHTS, Reader
from rag.settings import Settings
from rag.weights import ModelRow, ResolvedModel, check, list_models, pull, resolve
from ui.progress import bytes_progress

log = logging.getLogger(__name__)

_DOCUMENTS_READ = 100  # for example questions


def load_embedder(settings: Settings) -> Embedder:
    """Return the embedder, fetched with a progress bar where it is missing. Raises ModelUnavailable."""
    model = _resolved(settings, settings.embedder, "embedder")
    if model.engine == "openai":
        from index.embed_server import ServerEmbedder

        return ServerEmbedder(model.url, model=model.remote_model)
    if model.path is None:
        raise AssertionError(f"an embedder without a file: {model}")
    if model.engine == "llama.cpp":
        from index.embed_gguf import GGUFEmbedder

        return GGUFEmbedder(model.path, name=model.name, fingerprint=model.fingerprint, threads=settings.threads)
    from index.embed import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(
        model.path, name=model.name, fingerprint=model.fingerprint, threads=settings.threads
    )


def load_reranker(settings: Settings, embedder: Embedder) -> Reranker | None:
    """Return the cross-encoder that the settings name, else the reader where it is used so. Raises ModelUnavailable."""
    if not settings.reranker:
        return _reader_beside(embedder, settings) if "order" in settings.reader_uses else None
    from index.rerank import CrossEncoderReranker

    model = _resolved(settings, settings.reranker, "embedder")
    if model.engine != "sentence-transformers" or model.path is None:
        raise ModelUnavailable(f"{settings.reranker} is no cross-encoder: name a folder or hf:OWNER/REPO.")
    return CrossEncoderReranker(model.path, name=model.name, fingerprint=model.fingerprint)


@lru_cache(maxsize=1)
def load_reader(settings: Settings) -> Reader | None:
    """Return the reader, the same for the same settings; None where they do not use it or its weights are not there.

    Raises ModelUnavailable where the encoder cannot be had.
    """
    if not settings.reader_uses:
        return None
    if not WEIGHTS.is_file():
        log.warning("The reader has no weights, so passages are chosen without it: make train-reader")
        return None
    return open_reader(settings, weights=WEIGHTS)


def _reader_beside(embedder: Embedder, settings: Settings) -> Reader | None:
    reader = load_reader(settings)
    if reader:
        reader.share(embedder)
    return reader


def open_reader(settings: Settings, *, weights: Path) -> Reader:
    """Return the reader with `weights`. Raises ModelUnavailable."""
    encoder = _resolved(settings, EMBEDDER, "embedder")
    if encoder.path is None:
        raise AssertionError(f"an encoder without a folder: {encoder}")
    return Reader(encoder.path, encoder=encoder.fingerprint, weights=weights, threads=settings.threads)


def load_generator(settings: Settings) -> Generator:
    """Return the language model, fetched with a progress bar where it is missing. Raises ModelUnavailable."""
    from rag.generate import open_generator

    model = _resolved(settings, settings.model, "generator")
    return open_generator(model, threads=settings.threads, context_tokens=settings.context_tokens)


def _resolved(settings: Settings, spec: str, kind: Kind) -> ResolvedModel:
    with bytes_progress() as on_progress:
        return resolve(
            spec, kind=kind, models_folder=settings.models, offline=settings.offline, on_progress=on_progress
        )


@contextmanager
def open_library(settings: Settings, *, create: bool = False, where: Sequence[Condition] = ()) -> Iterator[Library]:
    """Open the collection that the settings name; some document of it must fit `where`.

    Raises LibraryMissing, LibraryMismatch, ModelUnavailable, and FonteError where no document fits.
    """
    if not create:  # before a model is fetched for it
        check_collection(settings.data, settings.collection)
        if where:
            list_documents(settings.library, where)
    with Library.open(settings.library, load_embedder(settings), create=create) as library:
        library.reranker = load_reranker(settings, library.embedder)
        yield library


@contextmanager
def open_answerer(
    settings: Settings, library: Library, *, where: Sequence[Condition] = (), remember: bool = False
) -> Iterator[Answerer]:
    """Open the language model over the documents of `library` that fit `where`; it may `remember` its answers.

    Raises ModelUnavailable.
    """
    generator = load_generator(settings)
    generator.prepare()
    try:
        yield make_answerer(settings, library, generator, where=where, remember=remember)
    finally:
        generator.close()


def make_answerer(
    settings: Settings,
    library: Library,
    generator: Generator,
    *,
    where: Sequence[Condition] = (),
    remember: bool = False,
) -> Answerer:
    """Return what answers with `generator` from the documents of `library` that fit `where`."""
    return Answerer(
        library,
        generator,
        passages=settings.passages,
        evidence_tokens=settings.evidence_tokens,
        answer_tokens=settings.answer_tokens,
        least_answerable=settings.least_answerable,
        question_chars=settings.question_chars,
        where=where,
        reader=_reader_beside(library.embedder, settings) if settings.reader_uses - {"order"} else None,
        uses=settings.reader_uses,
        remember=remember,
    )


def list_library(settings: Settings, where: Sequence[Condition] = ()) -> list[DocumentRow]:
    """Return the documents that fit `where`; no model is needed. Raises LibraryMissing, FonteError where none fits."""
    check_collection(settings.data, settings.collection)
    return list_documents(settings.library, where)


def example_questions(library: Library, where: Sequence[Condition] = ()) -> list[str]:
    """Return three questions to begin with, about what the documents that fit `where` speak of most."""
    documents = (library.document(row.id) for row in library.documents(where)[:_DOCUMENTS_READ])
    return _examples(documents)


def pull_models(settings: Settings, names: Sequence[str]) -> Iterator[Path]:
    """Fetch models and yield their folders; the default pair where none is named. Raises ModelUnavailable."""
    kinds: list[tuple[str, Kind | None]] = [(name, None) for name in names]
    for name, kind in kinds or [(settings.embedder, "embedder"), (settings.model, "generator")]:
        with bytes_progress() as on_progress:
            yield pull(
                name, kind=kind, models_folder=settings.models, offline=settings.offline, on_progress=on_progress
            )


def check_models(settings: Settings, names: Sequence[str]) -> Iterator[ModelRow]:
    """Read models anew and yield what was found; all that are here where none is named. Raises ModelUnavailable."""
    here = [row.name for row in list_models(models_folder=settings.models) if row.state != "absent"]
    for name in names or here:
        with bytes_progress() as on_progress:
            yield check(name, models_folder=settings.models, on_progress=on_progress)
