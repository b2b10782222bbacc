"""Conditions: what can be said, what is refused in a sentence, and that both retrievers keep to them."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import FakeEmbedder

from index.access import list_documents
from index.errors import FonteError
from index.library import Library
from index.types import Document
from index.where import FIELDS, Condition, parse_condition, sql_of

DOCUMENTS = (
    Document("a.pdf", "Il ponte fu chiuso.", "Il ponte", "docs/a.pdf", "it", "2024-03-01", "Corriere dell'Università"),
    Document(
        "b.txt", "Il ponte fu aperto.", "Aperto", "https://example.org/b", "it", "2024-03-31", "CITTÀ", "Anna Neri"
    ),
    Document("c.txt", "The bridge was shut.", "50% off_all\\", "https://example.com/c", "en", "2025-01-01", "città"),
    Document("d.txt", "The bridge was opened.", "d", "docs/d.txt", "en", "", ""),
    Document("e.txt", "Nel 2023 il ponte crollò.", "e", "docs/e.TXT", "", "2023-12-31", "Straße", "anna neri"),
)


@pytest.fixture
def library(tmp_path: Path, fake_embedder: FakeEmbedder) -> Iterator[Library]:
    with Library.open(tmp_path / "data", fake_embedder, create=True) as opened:
        opened.add_documents(DOCUMENTS)
        yield opened


def fitting(library: Library, *texts: str) -> str:
    rows = library.documents([parse_condition(text) for text in texts])
    return "".join(row.id[0] for row in rows)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("language=it", "ab"),
        ("language = IT", "ab"),
        ("Language==it-IT", "ab"),
        ("language!=it", "cde"),
        ("language=", "e"),
        ("language!=", "abcd"),
        ("id=a.pdf", "a"),
        ("id=*.TXT", "bcde"),
        ("source=*.txt", "de"),
        ("source=https://example.org/*", "b"),
        ("source!=https://*", "ade"),
        ("title=il PONTE", "a"),
        ("title=50% off_all\\", "c"),
        ("title=50_*", ""),
        ("title=*%*", "c"),
        ("title=*\\", "c"),
        ("title=***", "abcde"),
        ("outlet=Città", "bc"),
        ("outlet=CITTA\u0300", "bc"),
        ("outlet=citta", ""),
        ("outlet=STRASSE", "e"),
        ("outlet=*università", "a"),
        ("outlet=corriere dell'università", "a"),
        ("outlet=", "d"),
        ("author=ANNA NERI", "be"),
        ("published=2024", "ab"),
        ("published=2024-03", "ab"),
        ("published=2024-03-31", "b"),
        ("published!=2024", "ce"),
        ("published<=2024-03", "abe"),
        ("published<2024-03", "e"),
        ("published<=2024-03-30", "ae"),
        ("published>2024", "c"),
        ("published>2024-03", "c"),
        ("published >= 2024-03-01", "abc"),
        ("published<2024", "e"),
        ("published=", "d"),
        ("published!=", "abce"),
    ],
)
def test_a_condition_finds_the_documents_that_fit(library: Library, text: str, ids: str) -> None:
    assert fitting(library, text) == ids


def test_all_of_several_conditions_hold(library: Library) -> None:
    assert fitting(library, "language=it", "published>2024-03-01") == "b"
    assert fitting(library, "published>=2024", "published<2025") == "ab"
    assert fitting(library, "language=it", "language=en") == ""
    assert fitting(library) == "abcde"


def test_dates_are_compared_as_days_whatever_is_left_out(library: Library) -> None:
    """Every kind of partial date against days of three years, compared with first and last days."""
    rng = random.Random(4)
    days = [date(2023, 1, 1) + timedelta(days=rng.randrange(1096)) for _ in range(60)]
    library.add_documents([Document(f"{day}", "Testo.", published=f"{day}") for day in days])
    tried = 0
    for _ in range(200):
        first = date(rng.choice([2023, 2024, 2025]), rng.randint(1, 12), rng.randint(1, 28))
        length = rng.choice([4, 7, 10])
        value = str(first)[:length]
        begin = date.fromisoformat(value + "0000-01-01"[length:])
        after = {4: date(begin.year + 1, 1, 1), 7: (begin + timedelta(days=31)).replace(day=1)}
        end = after.get(length, begin + timedelta(days=1)) - timedelta(days=1)
        expected = {
            "=": lambda day, begin=begin, end=end: begin <= day <= end,
            "!=": lambda day, begin=begin, end=end: not begin <= day <= end,
            ">": lambda day, end=end: day > end,
            ">=": lambda day, begin=begin: day >= begin,
            "<": lambda day, begin=begin: day < begin,
            "<=": lambda day, end=end: day <= end,
        }
        for operator, fits in expected.items():
            rows = library.documents([parse_condition(f"published{operator}{value}")])
            assert {row.id for row in rows if row.id[0] == "2"} == {str(day) for day in days if fits(day)}
            tried += 1
    print(f"{tried} comparisons: 0 failures in {tried}: at most 3/{tried}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is no condition: write a field"),
        ("italian", "is no condition"),
        ("published", "is no condition"),
        ("=it", "is no condition"),
        ("language~it", "is no condition"),
        ("colour=red", "no field 'colour'"),
        ("id; DROP TABLE documents=1", "is no condition"),
        ("sha256=x", "no field 'sha256'"),
        ("origin=/home/*", "no field 'origin'"),
        ("title>a", "title is compared with = or !=, not with >: only published has an order"),
        ("language>=it", "language is compared with = or !="),
        ("language=italian", "'italian' is no code of a language: write two letters"),
        ("language=*", "is no code of a language"),
        ("published=yesterday", "is compared with a date, not with 'yesterday': write 2024, 2024-03 or 2024-03-15"),
        ("published=2024-02-30", "not with '2024-02-30'"),
        ("published=2024-13", "not with '2024-13'"),
        ("published=24", "not with '24'"),
        ("published=2024-3", "not with '2024-3'"),
        ("published=0000", "not with '0000'"),
        ("published=２０２４", "not with"),
        ("published=2024*", r"not with '2024\*'"),
        ("published>", "not with ''"),
        ("published=>2024", "not with '>2024'"),
        ("title=" + "x" * 1001, "too long: 1,001 characters, at most 1,000"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(text: str, told: str) -> None:
    with pytest.raises(FonteError, match=told) as caught:
        parse_condition(text)
    assert "\n" not in str(caught.value)
    if "is no condition" in told or "no field" in told:
        assert all(field in str(caught.value) for field in FIELDS)


def test_nothing_in_a_value_becomes_sql(library: Library) -> None:
    """Fragments of SQL put together at random: each is only ever compared as text."""
    rng = random.Random(5)
    pieces = ["'", '"', ")", "(", ";", "--", " OR 1", " OR ''=''", "UNION SELECT text FROM texts", "\\", "%", "_", "?"]
    pieces += ["/*", "*/", "*", "\x00", "\n", " ", "documents", "DROP TABLE documents", "\udcff", "😀", "NULL"]
    count = 0
    while count < 400:
        value = "".join(rng.choices(pieces, k=rng.randint(1, 8)))
        if not value.strip().strip("*") or value.strip() == "d":
            continue
        field = rng.choice(["id", "title", "source", "outlet", "author"])
        assert fitting(library, f"{field}={value}") == "", (field, value)
        where = [parse_condition(f"{field}={value}")]
        assert library.search("il ponte", where=where) == []
        count += 1
    assert fitting(library) == "abcde"
    print(f"{count} values: 0 failures in {count}: at most 3/{count}")


@pytest.mark.parametrize(
    "condition",
    [
        Condition("sha256", "=", "x"),
        Condition("id = '' OR 1 OR id", "=", "x"),
        Condition("id", "= '' OR 1 --", "x"),
        Condition("id", ">", "x"),
        Condition("published", "<", "x' OR 1 --"),
        Condition("published", "LIKE", "2024"),
    ],
)
def test_a_condition_that_was_not_parsed_is_a_programmers_mistake(condition: Condition) -> None:
    with pytest.raises(ValueError, match="no condition"):
        sql_of([condition])


def test_a_condition_is_written_as_the_user_writes_it() -> None:
    assert [str(parse_condition(text)) for text in (" Published >= 2024 ", "outlet==CITTÀ")] == [
        "published>=2024",
        "outlet=CITTÀ",
    ]


def test_many_wildcards_take_no_time(library: Library) -> None:
    library.add_documents([Document("long", "Testo.", title="a" * 5_000)])
    assert fitting(library, "title=" + "*a" * 400 + "*b") == ""
    assert fitting(library, "title=" + "*a" * 400) == "l"


def test_where_nothing_fits_the_conditions_are_named(library: Library) -> None:
    where = [parse_condition(text) for text in ("language=de", "published>2024")]
    with pytest.raises(FonteError, match=r"^No document fits language=de and published>2024: see what there is"):
        list_documents(library.folder, where)
    library.remove([row.id for row in library.documents()])
    assert list_documents(library.folder, where) == []


def filled(folder: Path, documents: list[Document], exact_up_to: int) -> Library:
    library = Library.open(folder, FakeEmbedder(), create=True, exact_up_to=exact_up_to)
    library.add_documents(documents)
    return library


@pytest.mark.parametrize("exact_up_to", [100_000, 0])
def test_the_best_match_never_appears_where_it_does_not_fit(tmp_path: Path, exact_up_to: int) -> None:
    """More wrong documents than either retriever brings hold all of the question's words, of the right ones one does
    a single one: that its word was found shows that the lexical index was asked for these documents alone.
    """
    wrong = [Document(f"w{i}", "Who bought the old mill at Borgo?", language="en", outlet="Alfa") for i in range(90)]
    right = [
        Document(f"r{i}", f"Rain fell on hill {i}." + " Mill." * (i == 3), language="en", outlet="Beta")
        for i in range(5)
    ]
    with filled(tmp_path / "data", wrong + right, exact_up_to) as library:
        question = "Who bought the old mill at Borgo?"
        assert library.search(question, k=1)[0].document.outlet == "Alfa"
        found = library.search(question, k=20, where=[parse_condition("outlet=beta")])
        assert sorted(passage.document.id for passage in found) == ["r0", "r1", "r2", "r3", "r4"]
        assert [passage.document.id for passage in found if passage.scores["lexical"] > 0] == ["r3"]


@pytest.mark.parametrize("exact_up_to", [100_000, 0])
def test_a_filtered_library_ranks_as_one_of_these_documents_alone(tmp_path: Path, exact_up_to: int) -> None:
    rng = random.Random(6)
    words = [f"parola{i}" for i in range(80)]
    documents = [
        Document(f"d{i:03}", " ".join(rng.choices(words, k=12)), language="it", published=f"20{20 + i % 5}-06-01")
        for i in range(150)
    ]
    some = [document for document in documents if document.published >= "2023"]
    where = [parse_condition("published>=2023")]
    with (
        filled(tmp_path / "all", documents, exact_up_to) as whole,
        filled(tmp_path / "some", some, exact_up_to) as part,
    ):
        for _ in range(20):
            question = " ".join(rng.choices(words, k=4))
            filtered, alone = whole.search(question, k=60, where=where), part.search(question, k=60)
            cosines = [{p.document.id: p.scores["dense"] for p in found} for found in (filtered, alone)]
            assert cosines[0].keys() == cosines[1].keys()
            orders = [sorted(found, key=lambda id, found=found: (-round(found[id], 5), id)) for found in cosines]
            assert orders[0] == orders[1]
            assert all(cosines[0][id] == pytest.approx(cosines[1][id], abs=1e-5) for id in cosines[0])
