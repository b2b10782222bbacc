"""Settings to the parts that answer: embedder, library, generator. Each is opened when it is first needed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from index.access import check_present, list_documents
from index.catalog import DocumentRow
from index.embed import Embedder
from index.library import Library
from rag.answer import Answerer
from rag.catalogue import Kind
from rag.examples import example_questions as _examples
from rag.generate import Generator
from rag.settings import Settings
from rag.weights import ModelRow, ResolvedModel, check, list_models, pull, resolve
from ui.progress import bytes_progress

_DOCUMENTS_READ = 100  # for example questions


def load_embedder(settings: Settings) -> Embedder:
    """Return the embedder, fetched with a progress bar where it is missing. Raises ModelUnavailable."""
    model = _resolved(settings, "embedder")
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


def load_generator(settings: Settings) -> Generator:
    """Return the language model, fetched with a progress bar where it is missing. Raises ModelUnavailable."""
    from rag.generate import open_generator

    model = _resolved(settings, "generator")
    return open_generator(model, threads=settings.threads, context_tokens=settings.context_tokens)


def _resolved(settings: Settings, kind: Kind) -> ResolvedModel:
    spec = settings.model if kind == "generator" else settings.embedder
    with bytes_progress() as on_progress:
        return resolve(
            spec, kind=kind, models_folder=settings.models, offline=settings.offline, on_progress=on_progress
        )


@contextmanager
def open_library(settings: Settings, *, create: bool = False) -> Iterator[Library]:
    """Open the library of the data folder. Raises LibraryMissing, LibraryMismatch, ModelUnavailable."""
    if not create:
        check_present(settings.data)  # before a model is fetched for it
    with Library.open(settings.data, load_embedder(settings), create=create) as library:
        yield library


@contextmanager
def open_answerer(settings: Settings, library: Library) -> Iterator[Answerer]:
    """Open the language model over `library`. Raises ModelUnavailable."""
    generator = load_generator(settings)
    generator.prepare()
    try:
        yield make_answerer(settings, library, generator)
    finally:
        generator.close()


def make_answerer(settings: Settings, library: Library, generator: Generator) -> Answerer:
    """Return what answers from `library` with `generator`."""
    return Answerer(
        library,
        generator,
        passages=settings.passages,
        evidence_tokens=settings.evidence_tokens,
        answer_tokens=settings.answer_tokens,
        least_answerable=settings.least_answerable,
        question_chars=settings.question_chars,
    )


def list_library(settings: Settings) -> list[DocumentRow]:
    """Return the documents of the library; no model is needed. Raises LibraryMissing."""
    return list_documents(settings.data)


def example_questions(library: Library) -> list[str]:
    """Return three questions to begin with, about what the library's documents speak of most."""
    documents = (library.document(row.id) for row in library.documents()[:_DOCUMENTS_READ])
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
