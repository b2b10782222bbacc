"""A model's name to a verified local file or folder. Nothing loads before its hash is right.

    default                    the catalogue's own generator or embedder
    NAME                       another one of the catalogue (catalogue.toml)
    PATH.gguf, FOLDER          a model of the user's own
    hf:OWNER/REPO[/FILE.gguf]  any model of the Hub, kept at the commit first fetched
    openai:URL[#MODEL]         a server that speaks OpenAI's protocol

Each fetched model is a folder of the models folder. It appears there by a rename, when all of it is right.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from index.errors import ModelUnavailable
from rag.catalogue import CATALOGUE, CatalogueModel, Kind, default_model, load_catalogue
from rag.fetch import Progress, Sources, silent
from rag.hashes import list_hash, remembered_sha256
from rag.pull import (
    MANIFEST,
    Manifest,
    damaged_file,
    folder_name,
    hub_folder,
    manifest_of,
    pull_from_catalogue,
    pull_from_hub,
    read_manifest,
)

Engine = Literal["llama.cpp", "transformers", "openai", "sentence-transformers"]
State = Literal["present", "absent", "damaged"]

GGUF_MAGIC = b"GGUF"
_AN: dict[Kind, str] = {"generator": "a generator", "embedder": "an embedder"}


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that may be loaded: a file or folder whose content was checked, or a server."""

    name: str
    engine: Engine
    path: Path | None = None
    url: str = ""
    remote_model: str = ""  # the server's name for it; "" is its first
    fingerprint: str = ""  # SHA-256 of a file, or of a folder's list of SHA-256; "" for a server


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of `fonte models list`."""

    name: str
    kind: Kind
    bytes: int
    licence: str
    state: State


def resolve(
    spec: str,
    *,
    kind: Kind,
    models_folder: Path,
    offline: bool = False,
    on_progress: Progress = silent,
    sources: Sources | None = None,
    catalogue: Path = CATALOGUE,
) -> ResolvedModel:
    """Return the model that `spec` names, fetched where it is missing. Raises ModelUnavailable.

    `sources` replaces `offline` and `on_progress` and says where files are fetched from.
    """
    if spec.startswith("openai:"):
        return _server(spec)
    if spec.startswith("hf:") or spec in ("default", "auto") or spec.lower() in load_catalogue(catalogue):
        sources = sources or Sources(offline=offline, on_progress=on_progress)
        return _kept_model(spec, kind, models_folder, sources, catalogue)
    path = Path(spec).expanduser()
    if path.is_dir():
        return _own_folder(path, kind, models_folder)
    if path.is_file():
        return _own_file(path, models_folder)
    known = ", ".join(name for name, model in load_catalogue(catalogue).items() if model.kind == kind)
    raise ModelUnavailable(
        f"There is no model {spec!r}: name one of {known}, or give PATH.gguf, a folder, hf:OWNER/REPO or openai:URL."
    )


def pull(
    name: str,
    *,
    models_folder: Path,
    kind: Kind | None = None,
    offline: bool = False,
    on_progress: Progress = silent,
    sources: Sources | None = None,
    catalogue: Path = CATALOGUE,
) -> Path:
    """Return the folder of the model, fetched where it is missing or damaged. Raises ModelUnavailable.

    `kind` says which default "default" means.
    """
    sources = sources or Sources(offline=offline, on_progress=on_progress)
    if not name.startswith("hf:"):
        return pull_from_catalogue(_named(name, kind, catalogue), models_folder, sources)
    return pull_from_hub(name, models_folder, sources)


def check(name: str, *, models_folder: Path, on_progress: Progress = silent, catalogue: Path = CATALOGUE) -> ModelRow:
    """Return the model's row after reading every byte of it anew. Raises ModelUnavailable for an unknown name."""
    if name.startswith("hf:"):
        manifest = read_manifest(hub_folder(name, models_folder))
        if manifest is None:
            raise ModelUnavailable(f"{name} is not on this computer: fonte models pull {name}")
    else:
        manifest = manifest_of(_named(name, None, catalogue))
    return _row(manifest, models_folder, on_progress, anew=True)


def list_models(*, models_folder: Path, catalogue: Path = CATALOGUE) -> list[ModelRow]:
    """Return the catalogue's models, then those of the Hub that were fetched. Unchanged files are not read again."""
    manifests = [manifest_of(model) for model in load_catalogue(catalogue).values()]
    fetched = (read_manifest(file.parent) for file in sorted(models_folder.glob(f"*/{MANIFEST}")))
    manifests += [manifest for manifest in fetched if manifest]
    return [_row(manifest, models_folder, silent, anew=False) for manifest in manifests]


def _server(spec: str) -> ResolvedModel:
    url, _, model = spec.removeprefix("openai:").partition("#")
    if not re.match(r"https?://[^/\s]+", url):
        raise ModelUnavailable(f"{spec!r} names no server: write openai:http://HOST:PORT/v1 or openai:URL#MODEL.")
    return ResolvedModel(model or url, "openai", url=url.rstrip("/"), remote_model=model)


def _own_file(path: Path, models_folder: Path) -> ResolvedModel:
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
        if magic != GGUF_MAGIC:
            raise ModelUnavailable(f"{path} is not a GGUF file: it starts with {magic!r}, not {GGUF_MAGIC!r}.")
        sha256 = remembered_sha256(path, models_folder)
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error.strerror}.") from error
    return ResolvedModel(path.stem, "llama.cpp", path.resolve(), fingerprint=sha256)


def _own_folder(path: Path, kind: Kind, models_folder: Path) -> ResolvedModel:
    ggufs = sorted(path.glob("*.gguf"))
    if len(ggufs) == 1:
        return _own_file(ggufs[0], models_folder)
    if not (path / "config.json").is_file() and not (path / "modules.json").is_file():
        raise ModelUnavailable(f"{path} is not a model's folder: it has no config.json.")
    if not any(path.rglob("*.safetensors")):
        raise ModelUnavailable(f"{path} holds no safetensors weights; pickled weights are never loaded.")
    try:
        files = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path)))
        hashes = {file.relative_to(path).as_posix(): remembered_sha256(file, models_folder) for file in files}
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error.strerror}.") from error
    return ResolvedModel(path.resolve().name, _engine(kind), path.resolve(), fingerprint=list_hash(hashes))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _kept_model(spec: str, kind: Kind, models_folder: Path, sources: Sources, catalogue: Path) -> ResolvedModel:
    """Return a model of the catalogue or the Hub out of the models folder; fetch it where it is absent."""
    if spec.startswith("hf:"):
        name, manifest = spec, read_manifest(hub_folder(spec, models_folder))
        folder = hub_folder(spec, models_folder)
    else:
        model = _named(spec, kind, catalogue)
        name, manifest, folder = model.name, manifest_of(model), models_folder / model.name
    if manifest is None or not folder.is_dir():
        pull(name, models_folder=models_folder, sources=sources, catalogue=catalogue)
        manifest = manifest or read_manifest(folder)
    if manifest is None or damaged_file(manifest, folder, models_folder, sources.on_progress, anew=False):
        raise ModelUnavailable(
            f"{name} is damaged and was not loaded: {folder} does not hold what it should. "
            f"Fetch it again: fonte models pull {name}"
        )
    return _resolved(manifest, folder, kind)


def _resolved(manifest: Manifest, folder: Path, kind: Kind) -> ResolvedModel:
    hashes = {path: content.sha256 for path, content in manifest.contents.items()}
    gguf = next((path for path in hashes if path.endswith(".gguf")), None)
    if gguf is None:
        return ResolvedModel(manifest.name, _engine(kind), folder, fingerprint=list_hash(hashes))
    return ResolvedModel(manifest.name, "llama.cpp", folder / gguf, fingerprint=hashes[gguf])


def _engine(kind: Kind) -> Engine:
    return "transformers" if kind == "generator" else "sentence-transformers"


def _named(name: str, kind: Kind | None, catalogue: Path) -> CatalogueModel:
    models = load_catalogue(catalogue)
    if name in ("default", "auto"):
        return default_model(models, kind or "generator")
    model = models.get(name.lower())
    if model is None:
        raise ModelUnavailable(f"There is no model {name!r} in the catalogue, which has: {', '.join(models)}.")
    if kind and model.kind != kind:
        fit = ", ".join(other.name for other in models.values() if other.kind == kind)
        raise ModelUnavailable(f"{model.name} is {_AN[model.kind]}, not {_AN[kind]}: name one of {fit}.")
    return model


def _row(manifest: Manifest, models_folder: Path, on_progress: Progress, *, anew: bool) -> ModelRow:
    folder = models_folder / folder_name(manifest.name)
    state: State = "absent"
    if folder.is_dir():
        state = "damaged" if damaged_file(manifest, folder, models_folder, on_progress, anew=anew) else "present"
    return ModelRow(manifest.name, manifest.kind, manifest.bytes, manifest.licence, state)
