"""Libraries whose files were damaged: a right answer or a sentence, never a crash, never a wrong result."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import FakeEmbedder

from index.access import open_catalog
from index.chroma_child import ChromaChild
from index.errors import FonteError
from index.library import Library
from index.types import Document
from index.vectors import ChromaVectors

TIMES = 10 if os.environ.get("FONTE_TEST_MORE") else 1
CHROMA_CASES = 200 * TIMES
CATALOG_CASES = 200 * TIMES
REBUILT = 10 * TIMES  # of the cases with a damaged vector store, how many are followed to the end of the mending
QUESTIONS = ("Che cosa dice il documento 7 di cosa7?", "cosa31", "un testo che nessuno ha scritto")
LEDGER = {
    f"d{i:02}": Document(f"d{i:02}", f"Documento {i} parla di cosa{i}.\n\n" * (1 + i % 4 * 9), f"Titolo {i}", "", "it")
    for i in range(60)
}
LATER = {f"e{i}": Document(f"e{i}", f"Altro documento {i} su cosa{i}.", f"Titolo {i}", "", "it") for i in range(5)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with its vector store, closed."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    with Library.open(folder, FakeEmbedder(), create=True) as library:
        library.add_documents(LEDGER.values())
        assert library.store_state == "ready"
    return folder


def check_results(library: Library) -> None:
    """Whatever is found was added, and is as it was added."""
    for question in QUESTIONS:
        found = library.search(question, k=10)
        for passage in found:
            held, known = passage.document, (LEDGER | LATER)[passage.document.id]
            assert (held.text, held.title, held.language) == (known.text, known.title, known.language)
            assert passage.chunk.text == known.text[passage.chunk.start : passage.chunk.end] != ""


def in_step(library: Library) -> None:
    """The store is sealed, and holds what the catalog holds."""
    assert library.wait_for_store(120)
    assert library._chroma.fault(library._catalog.generation) == ""
    child = library._chroma._child
    copy = child.scratch() / f"looked at {random.random()}"
    shutil.copytree(library.folder / "chroma", copy)
    try:
        assert set(child.open(copy, owner=copy).tolist()) == library._catalog.keys()
        keys, vectors = library._catalog.vectors()
        assert child.lost(copy, keys, vectors) == []
    finally:
        child.close(copy)
        shutil.rmtree(copy)


def truncated(file: Path, dice: random.Random) -> None:
    os.truncate(file, dice.randrange(max(1, file.stat().st_size)))


def zeroed(file: Path, dice: random.Random) -> None:
    data = bytearray(file.read_bytes())
    start = dice.randrange(len(data) + 1) & ~0xFFF
    data[start : start + 4096] = bytes(len(data[start : start + 4096]))
    file.write_bytes(data)


def flipped(file: Path, dice: random.Random) -> None:
    data = bytearray(file.read_bytes())
    for _ in range(dice.randint(1, 64) if data else 0):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    file.write_bytes(data)


def deleted(file: Path, dice: random.Random) -> None:
    file.unlink()


def replaced_by_a_directory(file: Path, dice: random.Random) -> None:
    file.unlink()
    file.mkdir()


def folder_deleted(file: Path, dice: random.Random) -> None:
    shutil.rmtree(file.parent if file.parent.name != "data" else file.parent / "chroma")


def folder_emptied(file: Path, dice: random.Random) -> None:
    folder_deleted(file, dice)
    file.parent.mkdir(exist_ok=True)


Damage = Callable[[Path, random.Random], None]
TO_FILES: list[Damage] = [truncated, zeroed, flipped, flipped, deleted, replaced_by_a_directory]


def test_damaged_vector_stores_are_noticed_and_made_again(whole: Path, tmp_path: Path) -> None:
    """Each file of the store truncated, zeroed, with flipped bits, deleted or replaced; the whole folder gone; its
    seal damaged; a lock left behind by a dead process.
    """
    outcomes: Counter[str] = Counter()
    embedder = FakeEmbedder()
    files = sorted(p.relative_to(whole) for p in (whole / "chroma").rglob("*") if p.is_file())
    for seed in range(CHROMA_CASES):
        dice = random.Random(seed)
        folder = Path(shutil.copytree(whole, tmp_path / "case" / "data"))
        damage = dice.choice([*TO_FILES, folder_deleted, folder_emptied] if seed % 10 == 0 else TO_FILES)
        before = {file: (folder / file).read_bytes() for file in files}
        damage(folder / files[seed % len(files)], dice)
        if dice.random() < 0.2:
            (folder / "write.lock").touch()
            (folder / "chroma.lock").touch()
        after = {file: (folder / file).read_bytes() for file in files if (folder / file).is_file()}
        changed = before != after
        mended = seed % (CHROMA_CASES // REBUILT) == 0
        if not mended:  # what is known before any rebuild, without a process
            with Library(folder, embedder, open_catalog(folder, embedder, create=False), exact_up_to=0) as library:
                fault = library._chroma.fault(library._catalog.generation)
                assert bool(fault) == changed or damage in (folder_deleted, folder_emptied), (seed, damage, fault)
                check_results(library)
                assert library.search("cosa31", k=1)[0].document.id == "d31"
            outcomes["noticed" if changed else "unharmed"] += 1
        else:
            with Library.open(folder, embedder, exact_up_to=0) as library:
                assert library.search("cosa31", k=1)[0].document.id == "d31"
                check_results(library)
                in_step(library)
                assert library._chroma.generation() == library._catalog.generation
                check_results(library)
            outcomes["made again"] += 1
        shutil.rmtree(tmp_path / "case")
    n = sum(outcomes.values())
    print(f"\n{n} damaged vector stores: {dict(outcomes)}; 0 failures in {n}: at most 3/{n}")
    assert n == CHROMA_CASES


def test_damaged_catalogs_give_right_results_or_a_sentence(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalog and its log truncated, zeroed or with flipped bits, also while the log holds the last changes.

    The vector store is left out: it takes seconds to make, and has a test of its own.
    """
    for name in ("fill", "warm"):
        monkeypatch.setattr(ChromaVectors, name, lambda *_, **__: None)
    outcomes: Counter[str] = Counter()
    embedder = FakeEmbedder()
    with_log = tmp_path / "with log" / "data"
    shutil.copytree(whole, with_log)
    source = Library.open(with_log, embedder)
    source._catalog._database.execute("PRAGMA wal_autocheckpoint = 0")
    source.add_documents(LATER.values())
    for seed in range(CATALOG_CASES):
        dice = random.Random(1_000 + seed)
        log = seed % 4 == 0
        folder = Path(shutil.copytree(with_log if log else whole, tmp_path / "case" / "data"))
        assert (folder / "catalog.sqlite-wal").exists() == log
        file = folder / ("catalog.sqlite-wal" if log and dice.random() < 0.5 else "catalog.sqlite")
        dice.choice([truncated, zeroed, flipped, flipped, flipped])(file, dice)
        outcomes[asked(folder, embedder)] += 1
        shutil.rmtree(tmp_path / "case")
    source.close()
    n = sum(outcomes.values())
    print(f"\n{n} damaged catalogs: {dict(outcomes)}; 0 failures in {n}: at most 3/{n}")
    assert n == CATALOG_CASES
    assert outcomes["told"] and outcomes["answered"]


def asked(folder: Path, embedder: FakeEmbedder) -> str:
    try:
        with Library.open(folder, embedder) as library:
            library._upkeep.stop()
            check_results(library)
            for row in library.documents():
                library.document(row.id)
            library.add_documents([Document("new", "Una faccenda nuova.", language="it")])
            assert library.search("faccenda", k=1)[0].document.text == "Una faccenda nuova."
        return "answered"
    except FonteError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
        return "told"


def test_a_changed_letter_number_or_place_is_noticed(whole: Path, tmp_path: Path) -> None:
    """What SQLite itself cannot see: pages that make sense and say something else."""
    changes = {
        "text": "UPDATE texts SET text = replace(text, 'parla', 'tace')",
        "title": "UPDATE documents SET title = 'altro'",
        "date": "UPDATE documents SET published = '2020-01-01'",
        "place": "UPDATE chunks SET start_offset = start_offset + 1",
        "vector": "UPDATE vectors SET vector = zeroblob(length(vector))",
        "key": "UPDATE vectors SET (vector, checksum) = (SELECT vector, checksum FROM vectors WHERE key = 1)",
        "no text": "DELETE FROM texts",
    }
    for what, change in changes.items():
        folder = Path(shutil.copytree(whole, tmp_path / what))
        database = sqlite3.connect(folder / "catalog.sqlite")
        with database:
            database.execute(change)
        database.close()
        with Library.open(folder, FakeEmbedder()) as library, pytest.raises(FonteError, match="is damaged"):
            library.search("cosa31")


READER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import FakeEmbedder
from index.backup import backup
from index.doctor import examine
from index.errors import FonteError
from index.library import Library
from index.types import Document
try:
    open(sys.argv[1] + "/x", "w").close()
    sys.exit("the folder can be written")
except PermissionError:
    pass
for most in (0, 1000):
    with Library.open(Path(sys.argv[1]), FakeEmbedder(), exact_up_to=most) as library:
        library.wait_for_store(60)
        first = library.search("cosa31", k=1)[0].document.id
        print(first, library.store_state, library._chroma.generation() is not None)
        try:
            library.add_documents([Document("new", "Nuovo.")])
        except FonteError as error:
            print(error)
print(*(finding.text for finding in examine(Path(sys.argv[1])).findings), sep=" / ")
print(backup(Path(sys.argv[1]), Path(sys.argv[1] + ".backup"))[0].documents)
(Path(sys.argv[1]) / "catalog.sqlite").chmod(0)
print(*(finding.text for finding in examine(Path(sys.argv[1])).findings), sep=" / ")
"""


def read_without_rights(folder: Path) -> list[str]:
    """Open the library in another process that may not write to its folder, even where we are root."""
    drop = (
        ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
        if os.geteuid() == 0
        else []
    )
    if drop and not shutil.which("setpriv"):
        pytest.skip("root may write everywhere")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = [*drop, sys.executable, "-c", READER, str(folder), str(Path(__file__).parent)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_library_in_a_folder_that_cannot_be_written_is_read(whole: Path, tmp_path: Path) -> None:
    """Also by Chroma, which by itself cannot open a folder that it may not write."""
    folder = Path(shutil.copytree(whole, tmp_path / "data"))
    for file in ("write.lock", "chroma.lock"):
        (folder / file).unlink(missing_ok=True)
    told = read_without_rights(folder)
    assert [told[0], told[2]] == ["d31 ready True", "d31 ready False"]
    assert "No permission" in told[1] and "No permission" in told[3]
    assert "60 documents" in told[4] and "cannot be written: Permission denied" in told[4]
    assert told[5] == "60"  # in the backup
    assert "cannot be opened or written: check the folder's permissions" in told[6]
    assert "damaged" not in told[4] + told[6]
    (tmp_path / "data.backup").unlink()
    shutil.rmtree(folder / "chroma")
    assert read_without_rights(folder)[0] == "d31 behind False"


def test_lock_files_of_dead_processes_do_no_harm(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "data"))
    for name in ("write.lock", "chroma.lock"):
        (folder / name).write_text("4194303\n")
    (folder / "chroma" / "seal.json").unlink()
    (folder / "chroma.new-1").mkdir()
    (folder / "chroma.new-1" / "half.bin").write_bytes(bytes(10))
    with Library.open(folder, FakeEmbedder()) as library:
        assert library.add_documents([Document("new", "Una faccenda nuova.", language="it")]).added == ("new",)
        in_step(library)
    assert not (folder / "chroma.new-1").exists()


def test_disk_that_fills_up_under_a_rebuild_costs_nothing_but_the_store(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "data"))
    shutil.rmtree(folder / "chroma")

    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ChromaChild, "add", full)
    with Library.open(folder, FakeEmbedder(), exact_up_to=0) as library:
        assert not library.wait_for_store(60)
        assert library.store_state == "behind"
        check_results(library)
        report = library.add_documents([Document("new", "Una faccenda nuova.", language="it")])
        assert report.added == ("new",)
        assert library.search("faccenda", k=1)[0].document.id == "new"
    assert "No space left" in caplog.text
    assert {path.name for path in folder.glob("chroma*")} == {"chroma.lock"}
    monkeypatch.undo()
    with Library.open(folder, FakeEmbedder()) as library:
        in_step(library)


def test_checksums_see_every_single_flipped_bit() -> None:
    from index.checksum import of_vector

    vector = np.linspace(-1, 1, 64, dtype="<f4").tobytes()
    held = of_vector(5, vector)
    for bit in range(8 * len(vector)):
        harmed = bytearray(vector)
        harmed[bit // 8] ^= 1 << bit % 8
        assert of_vector(5, bytes(harmed)) != held
    assert of_vector(6, vector) != held
