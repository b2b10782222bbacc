"""The models folder: each model is a folder in it, which appears by a rename when all of it is right."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from index.errors import ModelUnavailable
from rag.catalogue import CatalogueModel, Content, Kind
from rag.fetch import Progress, Sources, check_space, disk_errors, fetch_file, only_one, silent
from rag.hashes import remember_sha256, remembered_sha256, sha256_of
from rag.hub import HubError, HubFile, Repository, choose_files, download, is_right, list_repository
from rag.wheels import bytes_in

FETCHING = ".fetching"  # in the models folder: what is on its way, and the locks
MANIFEST = "fonte.json"  # in the folder of a Hub model: where it came from and what it must hold


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model's folder must hold, and what the list says about it."""

    name: str
    kind: Kind
    licence: str
    contents: Mapping[str, Content]

    @property
    def bytes(self) -> int:
        """The model's size on disk."""
        return sum(content.bytes for content in self.contents.values())


def manifest_of(model: CatalogueModel) -> Manifest:
    """Return what the catalogue says that the model's folder must hold."""
    return Manifest(model.name, model.kind, model.licence, model.contents)


def read_manifest(folder: Path) -> Manifest | None:
    """Return what a Hub model's folder must hold, as written when it was fetched; None where there is none."""
    try:
        value = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        contents = {path: Content(**content) for path, content in value["contents"].items()}
        return Manifest(value["name"], value["kind"], value["licence"], contents)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def damaged_file(
    manifest: Manifest, folder: Path, models_folder: Path, on_progress: Progress = silent, *, anew: bool = False
) -> str:
    """Return the path of the first file that is missing or holds something else; "" where all is right.

    `anew` reads every byte; else unchanged files are known by their stamps.
    """
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, manifest.bytes, f"checking {manifest.name}")

    for path, content in manifest.contents.items():
        file = folder / path
        if not file.is_file() or file.stat().st_size != content.bytes:
            return path
        if anew:
            sha256 = sha256_of(file, tell)
            remember_sha256(file, sha256, models_folder)
        else:
            sha256 = remembered_sha256(file, models_folder, tell)
        if sha256 != content.sha256:
            return path
    return ""


def folder_name(name: str) -> str:
    """Return the name of the model's folder; `hf:OWNER/REPO/FILE` becomes `hf--OWNER--REPO--FILE`."""
    return re.sub(r"[:/]", "--", name)


def hub_folder(spec: str, models_folder: Path) -> Path:
    """Return the folder of `hf:OWNER/REPO[/FILE]`. Raises ModelUnavailable where that is not what `spec` is."""
    if not re.fullmatch(r"hf:[\w.-]+/[\w.-]+(/[\w./ -]+)?", spec) or ".." in spec:
        raise ModelUnavailable(f"{spec!r} names no model of the Hub: write hf:OWNER/REPO or hf:OWNER/REPO/FILE.gguf.")
    return models_folder / folder_name(spec)


def pull_from_catalogue(model: CatalogueModel, models_folder: Path, sources: Sources) -> Path:
    """Return the model's folder, fetched where it is missing or damaged. Raises ModelUnavailable."""
    manifest = manifest_of(model)

    def fill(staging: Path) -> Path:
        written = sum(file.content.bytes + sum(w.content.bytes for w in file.wheels) for file in model.files)
        written += sum(content.bytes for content in model.converted.values())
        check_space(models_folder, written - bytes_in(staging), model.name)
        files = [fetch_file(file, staging / file.name, sources, model.name) for file in model.files]
        finished = staging / "finished"
        if model.converted:
            from rag.convert import convert_embedder

            # Only the embedder is converted: its files are the 4-bit weights and the tokenizer, in this order.
            convert_embedder(files[0], files[1], finished)
        else:
            finished.mkdir(exist_ok=True)
            for file in files:
                file.replace(finished / file.name)
        return finished

    return _pull(manifest, models_folder / model.name, models_folder, sources, fill)


def pull_from_hub(spec: str, models_folder: Path, sources: Sources) -> Path:
    """Return the folder of `hf:OWNER/REPO[/FILE]`, fetched where it is missing or damaged. Raises ModelUnavailable."""
    folder = hub_folder(spec, models_folder)
    owner, name, *path = spec.removeprefix("hf:").split("/", 2)

    def fill(staging: Path) -> Path:
        try:
            repository = list_repository(f"{owner}/{name}", endpoint=sources.hub_endpoint)
            files = choose_files(repository, *path)
            check_space(models_folder, sum(file.bytes for file in files) - bytes_in(staging), spec)
            _download_all(files, staging / repository.commit, sources, spec)
        except HubError as error:
            raise ModelUnavailable(
                f"{spec} is not on this computer and huggingface.co does not answer: connect to a network, then run: "
                f"fonte models pull {spec}"
            ) from error
        _write_manifest(spec, repository, files, staging / repository.commit)
        return staging / repository.commit

    return _pull(read_manifest(folder), folder, models_folder, sources, fill)


def _pull(
    known: Manifest | None, folder: Path, models_folder: Path, sources: Sources, fill: Callable[[Path], Path]
) -> Path:
    """Put what `fill` makes in a staging folder in the place of `folder`, unless that is right already."""
    name = known.name if known else folder.name.replace("--", ":", 1).replace("--", "/")
    staging = models_folder / FETCHING / folder.name
    with disk_errors(models_folder):
        if known and folder.is_dir() and not damaged_file(known, folder, models_folder):
            return folder
        if sources.offline:
            state = "damaged" if folder.is_dir() else "not on this computer"
            raise ModelUnavailable(
                f"{name} is {state} and FONTE_OFFLINE forbids fetching it: "
                f"unset FONTE_OFFLINE once and run: fonte models pull {name}"
            )
        with only_one(staging.with_name(f"{folder.name}.lock"), name, sources.on_progress):
            known = known or read_manifest(folder)  # another process may just have fetched it
            if known and folder.is_dir() and not damaged_file(known, folder, models_folder):
                return folder
            staging.mkdir(parents=True, exist_ok=True)
            finished = fill(staging)
            manifest = read_manifest(finished) or known  # the Hub may have a newer commit
            wrong = damaged_file(manifest, finished, models_folder) if manifest else MANIFEST
            if wrong or manifest is None:
                shutil.rmtree(staging)
                raise ModelUnavailable(
                    f"{name} was refused: its {wrong} came out wrong. Nothing was kept; upgrade fonte, then run: "
                    f"fonte models pull {name}"
                )
            if folder.exists():
                shutil.rmtree(folder)
            finished.replace(folder)
            shutil.rmtree(staging)
            for path, content in manifest.contents.items():
                remember_sha256(folder / path, content.sha256, models_folder)
    return folder


def _download_all(files: list[HubFile], folder: Path, sources: Sources, label: str) -> None:
    total, before = sum(file.bytes for file in files), 0
    for file in files:
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (target.is_file() and is_right(file, target)):
            partial = target.with_name(f"{target.name}.partial")
            start = before
            download(file, partial, lambda done, start=start: sources.on_progress(start + done, total, label))  # type: ignore[misc]
            if not is_right(file, partial):
                partial.unlink()
                raise ModelUnavailable(
                    f"{label} was refused: its {file.name} is not what the Hub says it is. Nothing of it was kept; "
                    f"try again: fonte models pull {label}"
                )
            partial.replace(target)
        before += file.bytes


def _write_manifest(spec: str, repository: Repository, files: list[HubFile], folder: Path) -> None:
    contents = {file.name: Content(file.bytes, file.sha256 or sha256_of(folder / file.name)) for file in files}
    value = {
        "name": spec,
        "kind": "embedder" if "modules.json" in contents else "generator",
        "licence": repository.licence,
        "commit": repository.commit,
        "contents": {path: asdict(content) for path, content in contents.items()},
    }
    (folder / MANIFEST).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
