"""The SQLite record: what was put is there, whole, and found by its words."""

import sqlite3
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index.catalog import Catalog
from index.terms import stems, telling_terms, terms
from index.types import Chunk, Document


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    Catalog.create(tmp_path / "catalog.sqlite", {"embedder": "e"})
    catalog = Catalog(tmp_path / "catalog.sqlite")
    yield catalog
    catalog.close()


def put(catalog: Catalog, id: str, text: str, *, language: str = "it", title: str = "") -> None:
    document = Document(id, text, title=title, language=language, pages=(0, 3), sha256="s")
    middle = text.find(" ") + 1
    chunks = [Chunk(f"{id}#{a}", id, text[a:b], a, b, 1, "h") for a, b in ((0, middle), (middle, len(text)))]
    catalog.put(document, chunks, np.eye(2, 4, dtype=np.float32))


def found(catalog: Catalog, question: str, language: str = "it") -> list[str]:
    spans = catalog.chunk_spans([key for key, _ in catalog.lexical(question, language, limit=10)])
    return sorted({span.document_id for span in spans.values()})


def test_document_comes_back_as_it_was_put(catalog: Catalog) -> None:
    put(catalog, "a/b.txt", "Perché 😀 la città?", title="Titolo")
    document = catalog.document("a/b.txt")
    assert document == Document(
        "a/b.txt", "Perché 😀 la città?", title="Titolo", language="it", pages=(0, 3), sha256="s"
    )
    assert catalog.document("b.txt") is None
    (row,) = catalog.rows()
    assert (row.id, row.characters, row.chunks) == ("a/b.txt", 18, 2)


def test_putting_again_replaces_and_never_uses_a_key_twice(catalog: Catalog) -> None:
    put(catalog, "a", "prima versione")
    before, generation = catalog.keys(), catalog.generation
    put(catalog, "a", "altra stesura")
    assert not before & catalog.keys()
    assert catalog.chunk_count() == 2
    assert found(catalog, "versione") == []
    assert found(catalog, "stesura") == ["a"]
    assert catalog.generation == generation + 1


def test_failed_put_leaves_the_old_document_whole(catalog: Catalog) -> None:
    put(catalog, "a", "prima versione")
    generation = catalog.generation
    with pytest.raises(ValueError, match="zip"):
        catalog.put(Document("a", "nuova"), [Chunk("a#0", "a", "nuova", 0, 5)], np.eye(2, 4, dtype=np.float32))
    document = catalog.document("a")
    assert document and document.text == "prima versione"
    assert found(catalog, "versione") == ["a"]
    assert catalog.generation == generation


def test_removed_document_leaves_nothing(catalog: Catalog) -> None:
    put(catalog, "a", "un segreto")
    put(catalog, "b", "nessuno")
    catalog.remove(["a"])
    assert [row.id for row in catalog.rows()] == ["b"]
    assert found(catalog, "segreto") == []
    assert len(catalog.vectors()[0]) == 2


def test_vectors_come_back_exactly_by_ascending_key(catalog: Catalog) -> None:
    put(catalog, "a", "uno due")
    put(catalog, "b", "tre quattro")
    keys, vectors = catalog.vectors()
    assert keys.tolist() == sorted(catalog.keys())
    assert np.array_equal(vectors, np.vstack([np.eye(2, 4), np.eye(2, 4)]))
    some, theirs = catalog.vectors_of([int(keys[3]), int(keys[1]), 999])
    assert some.tolist() == [keys[1], keys[3]]
    assert np.array_equal(theirs, vectors[[1, 3]])


def test_no_vectors_are_an_empty_table(catalog: Catalog) -> None:
    keys, vectors = catalog.vectors()
    assert (len(keys), len(vectors)) == (0, 0)


@pytest.mark.parametrize(
    ("text", "language", "question"),
    [
        ("la crescita dell'azienda", "it", "azienda"),
        ("la crescita dell’azienda", "it", "un’azienda"),
        ("Le DIMISSIONI di ieri", "it", "dimissione"),
        ("qualità e città", "it", "citta"),
        ("he resigned", "en", "resign"),
        ("die Häuser", "de", "Haus"),
        ("東京の天気予報", "ja", "天気"),
        ("la version 3.5 de 2024", "fr", "2024"),
    ],
)
def test_words_are_found_in_other_forms(catalog: Catalog, text: str, language: str, question: str) -> None:
    put(catalog, "other", "zzz yyy xxx", language=language)
    put(catalog, "wanted", text, language=language)
    assert found(catalog, question, language) == ["wanted"]


def test_title_is_found_too(catalog: Catalog) -> None:
    put(catalog, "a", "testo qualunque", title="Bilancio")
    assert found(catalog, "bilanci") == ["a"]


@pytest.mark.parametrize("question", ['"', "a AND OR NOT (", "title:x* ^y", "NEAR(a b)", "x' OR 1=1; --", "*", "\x00"])
def test_query_syntax_in_a_question_is_only_text(catalog: Catalog, question: str) -> None:
    put(catalog, "a", "testo")
    assert found(catalog, question, "en") == []


def test_punctuation_and_stop_words_find_nothing(catalog: Catalog) -> None:
    put(catalog, "a", "chi è che non si vede?")
    assert found(catalog, "?!…") == []
    assert found(catalog, "chi è?") == []


def test_question_of_a_hundred_thousand_words_is_answered(catalog: Catalog) -> None:
    put(catalog, "a", "parola1 parola2")
    assert found(catalog, " ".join(f"parola{i}" for i in range(100_000))) == ["a"]


def test_rarer_word_scores_higher(catalog: Catalog) -> None:
    for i in range(20):
        put(catalog, f"common{i}", "gatto gatto")
    put(catalog, "rare", "gatto siamese")
    (key, score), *rest = catalog.lexical("gatto siamese", "it", limit=50)
    assert catalog.chunk_spans([key])[key].document_id == "rare"
    assert score > max(other for _, other in rest) > 0


def test_reader_sees_one_moment_while_another_connection_writes(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "a", "uno due")
    writer = Catalog(tmp_path / "catalog.sqlite")
    with catalog.reading():
        assert catalog.chunk_count() == 2
        put(writer, "b", "tre quattro")
        assert catalog.chunk_count() == 2
    assert catalog.chunk_count() == 4
    writer.close()


def test_half_made_catalog_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with pytest.raises(sqlite3.Error):
        Catalog.create(path, {"schema": None})  # type: ignore[dict-item]
    assert not path.exists()
    Catalog.create(path, {})
    assert Catalog(path).rows() == []


def test_terms_are_folded_cut_at_apostrophes_and_stemmed() -> None:
    assert terms("Dell’Università, L'ÉTÉ; Straße_2") == ["dell", "universita", "l", "ete", "strasse", "2", "strasse2"]
    assert stems("dimissioni", "it") == stems("dimissione", "it")
    assert stems("dimissioni", "xx") == []
    assert telling_terms("Chi sono i co-CEO e i CEO?", "it") == (["co", "ceo", "coceo"], ["co", "ceo", "coce"])


@pytest.mark.parametrize(
    ("text", "language", "question", "spoken"),
    [
        ("I Normanni conquistarono l'Inghilterra.", "it", "Who were the Normans?", "en"),
        ("The philosophy of Aristotle", "en", "la filosofia di Aristotele", "it"),
        ("IBM ha assunto 350 persone.", "it", "how many people did IBM hire?", "en"),
        ("Il co-CEO lascia.", "it", "who is the coCEO?", "en"),
        ("La scheda RTX4090 costa molto.", "it", "how fast is the RTX4090?", "en"),
    ],
)
def test_relatives_are_found_in_documents_of_another_language(
    catalog: Catalog, text: str, language: str, question: str, spoken: str
) -> None:
    put(catalog, "other", "zzz yyy xxx", language=language)
    put(catalog, "own", "qqq www", language=spoken)
    put(catalog, "wanted", text, language=language)
    assert found(catalog, question, spoken) == ["wanted"]


def test_what_has_digits_is_no_relative_of_what_has_others(catalog: Catalog) -> None:
    put(catalog, "own", "qqq www", language="en")
    put(catalog, "other", "La RTX4080, il B1122 e i Windows98.", language="it")
    assert found(catalog, "RTX4090 B122 Windows95", "en") == []


def test_a_decomposed_question_has_the_same_stems() -> None:
    for word in ("qualità", "città", "perché"):
        assert stems(unicodedata.normalize("NFD", word), "it") == stems(word, "it")


def test_a_mere_name_is_as_near_in_a_document_of_another_language(catalog: Catalog) -> None:
    for i in range(5):
        put(catalog, f"other{i}", "zzz yyy", language="it" if i % 2 else "en")
    put(catalog, "it", "Il direttore è O'Connor.", language="it")
    put(catalog, "en", "The manager is O'Connor.", language="en")
    for sure, alike in ((True, False), (False, True)):
        one, other = (score for _, score in catalog.lexical("O'Connor", "it", sure=sure, limit=5))
        assert (other == pytest.approx(one, rel=0.1)) is alike


def test_texts_are_not_compared_for_a_language_in_each_search(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function of Python's on every row of the documents: a tenth of a second for 100,000."""
    put(catalog, "it", "il mulino", language="it")
    put(catalog, "en", "the mill", language="en")
    asked: list[str] = []
    catalog._database.create_function("folded", 1, lambda text: asked.append(text) or text)
    assert found(catalog, "il mulino") == ["it"]
    assert asked == []


def test_an_error_that_ends_the_transaction_is_told_itself(catalog: Catalog) -> None:
    """As SQLite does where the disk fails."""
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"), catalog.reading():
        catalog._database.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")


def test_a_word_of_the_question_means_nothing_in_another_language(catalog: Catalog) -> None:
    put(catalog, "it", "come stai", language="it")
    put(catalog, "en", "they come tomorrow", language="en")
    assert found(catalog, "when do they come tomorrow", "en") == ["en", "it"]
    own, other = (score for _, score in catalog.lexical("when do they come tomorrow", "en", limit=5))
    assert own > other


def test_names_written_in_parts_are_found_written_whole(catalog: Catalog) -> None:
    put(catalog, "a", "GPT-4 e il co-CEO", language="it")
    put(catalog, "b", "infor-\nmazione", language="it")
    assert found(catalog, "gpt4") == found(catalog, "coCEO") == ["a"]
    assert found(catalog, "informazioni") == ["b"]


def test_windows_come_back_nearly_exact_and_go_with_their_document(catalog: Catalog) -> None:
    vectors = np.eye(2, 4, dtype=np.float32)
    chunks = [Chunk(f"a#{i}", "a", "xy"[i], i, i + 1) for i in range(2)]
    windows = [np.full((3, 4), 1 / 3, dtype=np.float32), vectors[1:]]
    catalog.put(Document("a", "xy"), chunks, vectors, windows=windows)
    first, second = sorted(catalog.keys())
    stored = catalog.windows_of([first, second, 99])
    assert list(stored) == [first]
    assert stored[first] == pytest.approx(windows[0], abs=1e-3)
    catalog.remove(["a"])
    assert catalog.windows_of([first]) == {}
