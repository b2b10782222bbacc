"""After thousands of changes in turn the catalog, Chroma and searching agree on every single chunk."""

import os
import random
import time
from collections import Counter
from pathlib import Path

from conftest import FakeEmbedder

from index.library import Library
from index.types import Document

CHANGES = int(os.environ.get("FONTE_TEST_CHANGES", "10000"))
AT_ONCE = 2_000


def document(number: int, dice: random.Random) -> Document:
    """A document of one or two chunks, whose words are its own."""
    sentences = [" ".join(f"w{dice.randrange(10**6)}" for _ in range(8)) + "." for _ in range(dice.choice([2, 2, 12]))]
    return Document(f"d{number}", "\n\n".join(sentences), language="it", sha256=f"{dice.random()}")


def test_everything_is_found_by_itself_after_thousands_of_changes(tmp_path: Path) -> None:
    """Documents added, changed and removed in turn, some added again under their old names; each chunk is then found
    by its own vector through Chroma (chroma-core/chroma#7758), and nothing that was removed is.
    """
    dice = random.Random(11)
    embedder = FakeEmbedder(dimension=32)
    ledger: dict[str, Document] = {}
    done: Counter[str] = Counter()
    began = time.monotonic()
    with Library.open(tmp_path / "data", embedder, create=True) as library:
        while sum(done.values()) < CHANGES:
            gone = dice.sample(sorted(ledger), min(len(ledger), AT_ONCE * 3 // 10))
            if gone:
                library.remove(gone)
            for document_id in gone:
                del ledger[document_id]
            numbers = {dice.randrange(CHANGES // 3) for _ in range(AT_ONCE - len(gone))}
            coming = [document(number, dice) for number in sorted(numbers)]
            report = library.add_documents(coming)
            ledger |= {document.id: document for document in coming}
            done += Counter(removed=len(gone), added=len(report.added), changed=len(report.replaced))
            assert library.store_state == "ready"
        filled_s = time.monotonic() - began
    with Library.open(tmp_path / "data", embedder, exact_up_to=0) as library:
        assert library.wait_for_store(120)
        assert {row.id: library.document(row.id).text for row in library.documents()} == {
            document_id: document.text for document_id, document in ledger.items()
        }
        chunks = agreed(library, ledger)
    print(
        f"\n{sum(done.values())} changes ({dict(done)}) in {filled_s:.0f} s; {chunks} chunks held, found by Chroma and "
        f"by searching: 0 failures in {chunks}: at most 3/{chunks}"
    )


def agreed(library: Library, ledger: dict[str, Document]) -> int:
    """Check every chunk, and return how many there are."""
    catalog, chroma = library._catalog, library._chroma
    keys, vectors = catalog.vectors()
    assert set(keys.tolist()) == catalog.keys()
    assert chroma.generation() == catalog.generation
    copy = chroma._copy
    assert copy
    assert set(chroma._child.open(copy, owner=copy).tolist()) == catalog.keys()
    assert [
        key for key, vector in zip(keys.tolist(), vectors, strict=True) if key not in chroma.nearest(vector, limit=3)
    ] == []
    spans = catalog.chunk_spans(keys.tolist())
    covered: Counter[str] = Counter()
    for span in spans.values():
        covered[span.document_id] += span.end - span.start
    assert covered == {document_id: len(document.text) for document_id, document in ledger.items()}
    for document_id in sorted(ledger)[::37]:
        assert library.search(ledger[document_id].text[:80], k=1)[0].document.id == document_id
    return len(keys)
