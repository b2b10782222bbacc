"""Files of the Hugging Face Hub: found, downloaded from where an interrupted download stopped, checked by their hashes.

huggingface_hub finds them and knows the user's token, proxy and mirror. Its own download starts anew after a kill, so
the bytes are read here.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from index.errors import ModelUnavailable
from rag.hashes import READ_BYTES, sha256_of

READ_TIMEOUT_S = 30.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What a loader may need. Pickled weights (.bin, .pt) run code when they are loaded: never fetched.
_LOADED = (".safetensors", ".json", ".txt", ".model", ".jinja")
_NOT_LOADED = ("onnx/", "openvino/", "original/", "consolidated", ".")


class HubError(Exception):
    """The Hub does not answer, or not with this file."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository at one commit. `sha256` is "" where the Hub knows only the git hash `blob`."""

    url: str
    name: str
    bytes: int
    sha256: str
    blob: str
    commit: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at its newest commit."""

    name: str
    commit: str
    licence: str
    files: Mapping[str, HubFile]


@contextmanager
def _reaching_the_hub() -> Iterator[None]:
    """Turn the many ways in which the Hub does not answer into HubError."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except (HfHubHTTPError, OfflineModeIsEnabled) as error:
        raise HubError(str(error)) from error
    except Exception as error:  # the library's HTTP client has an exception tree of its own, and changes it
        if isinstance(error, (ConnectionError, TimeoutError)) or type(error).__module__.split(".")[0].startswith(
            "httpx"
        ):
            raise HubError(str(error)) from error
        raise


def find_file(repository: str, name: str, *, endpoint: str | None = None, timeout_s: float = 3.0) -> HubFile:
    """Return where `name` of `repository` lies and what it must hold. Raises HubError, in `timeout_s` or so."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    with _reaching_the_hub():
        url = hf_hub_url(repository, name, endpoint=endpoint)
        found = get_hf_file_metadata(url, timeout=timeout_s, endpoint=endpoint)
    etag = found.etag or ""
    sha256, blob = (etag, "") if _SHA256.fullmatch(etag) else ("", etag)
    return HubFile(url, name, found.size or 0, sha256, blob, found.commit_hash or "")


def list_repository(repository: str, *, endpoint: str | None = None, timeout_s: float = 10.0) -> Repository:
    """Return the repository's files. Raises HubError, or ModelUnavailable where there is no such repository."""
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        with _reaching_the_hub():
            info = HfApi(endpoint=endpoint).model_info(repository, files_metadata=True, timeout=timeout_s)
    except HFValidationError:
        raise ModelUnavailable(f"{repository!r} is not the name of a Hub repository: write hf:OWNER/REPO.") from None
    except HubError as error:
        if isinstance(error.__cause__, GatedRepoError):
            raise ModelUnavailable(
                f"{repository} asks you to accept its licence first: do so at https://huggingface.co/{repository}, "
                "then run: hf auth login"
            ) from None
        if isinstance(error.__cause__, RepositoryNotFoundError):
            raise ModelUnavailable(
                f"The Hub has no repository {repository}, or it is private: check the name, or run `hf auth login`."
            ) from None
        raise
    commit = info.sha or "main"
    files = {}
    for file in info.siblings or ():
        url = hf_hub_url(repository, file.rfilename, revision=commit, endpoint=endpoint)
        sha256 = file.lfs.sha256 if file.lfs else ""
        files[file.rfilename] = HubFile(url, file.rfilename, file.size or 0, sha256, file.blob_id or "", commit)
    licence = str(getattr(info.card_data, "license", None) or "unknown")
    return Repository(repository, commit, licence, files)


def choose_files(repository: Repository, wanted: str = "") -> list[HubFile]:
    """Return the files to fetch: the one that is wanted, else the safetensors and their settings, else the only GGUF.

    Raises ModelUnavailable naming the choice where there is none.
    """
    ggufs = sorted(name for name in repository.files if name.endswith(".gguf"))
    if wanted:
        if wanted not in repository.files or PurePosixPath(wanted).suffix not in (".gguf",):
            listed = ", ".join(ggufs) or "none"
            raise ModelUnavailable(f"{repository.name} has no GGUF file {wanted!r}. Its GGUF files: {listed}.")
        return [repository.files[wanted]]
    if any(name.endswith(".safetensors") and not name.startswith(_NOT_LOADED) for name in repository.files):
        chosen = (n for n in repository.files if n.endswith(_LOADED) and not n.startswith(_NOT_LOADED))
        return [repository.files[name] for name in sorted(chosen) if ".." not in PurePosixPath(name).parts]
    medium = [name for name in ggufs if "q4_k_m" in name.lower()] if len(ggufs) > 1 else ggufs
    if len(medium) == 1:
        return [repository.files[medium[0]]]
    if ggufs:
        raise ModelUnavailable(
            f"{repository.name} holds several GGUF files, name one: "
            + ", ".join(f"hf:{repository.name}/{name}" for name in ggufs[:12])
        )
    raise ModelUnavailable(
        f"{repository.name} holds neither safetensors nor GGUF weights; pickled weights are never loaded."
    )


def download(file: HubFile, partial: Path, on_bytes: Callable[[int], None]) -> None:
    """Download into `partial`, from where it ends; `on_bytes` gets the bytes so far. Raises HubError."""
    from huggingface_hub import get_session
    from huggingface_hub.utils._headers import build_hf_headers

    start = partial.stat().st_size if partial.exists() else 0
    if start >= file.bytes:
        if start and is_right(file, partial):
            return
        start = 0
    # The user's token never travels in clear, nor to the other host that large files are redirected to.
    headers = build_hf_headers() if urlsplit(file.url).scheme == "https" else {}
    with (
        _reaching_the_hub(),
        get_session().stream(
            "GET",
            file.url,
            headers={**headers, "Range": f"bytes={start}-", "Accept-Encoding": "identity"},
            timeout=READ_TIMEOUT_S,
            follow_redirects=True,
        ) as response,
    ):
        response.raise_for_status()
        start = start if response.status_code == 206 else 0
        with partial.open("r+b" if start else "wb") as out:
            out.seek(start)
            for part in response.iter_bytes(READ_BYTES):
                out.write(part)
                on_bytes(out.tell())
            out.flush()
            os.fsync(out.fileno())


def is_right(file: HubFile, path: Path) -> bool:
    """Tell whether `path` holds what the Hub says that the file holds."""
    if path.stat().st_size != file.bytes:
        return False
    if file.sha256:
        return sha256_of(path) == file.sha256
    # Small files are known by git's own hash of them.
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == file.blob
