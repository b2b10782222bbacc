import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent / "samples"
LEAST_PAIRS = {"unanswerable": 10, "cross-lingual": 10, "two-documents": 5}


def read_article(path: Path) -> tuple[dict[str, str], str]:
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines() if line)
    return {name: value.strip('"') for name, value in fields.items()}, body


ARTICLES = {path.name: read_article(path) for path in sorted(SAMPLES.glob("*.md"))}
PAIRS = [json.loads(line) for line in (SAMPLES / "gold.jsonl").read_text(encoding="utf-8").splitlines()]
ANSWERABLE = [pair for pair in PAIRS if pair["answerable"]]

each_answerable = pytest.mark.parametrize("pair", ANSWERABLE, ids=[pair["id"] for pair in ANSWERABLE])


def language_of(article: str) -> str:
    return ARTICLES[article][0]["language"]


def words_of(text: str) -> str:
    """Fold case, accents and punctuation; words end up between single spaces."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return " ".join(["", *re.findall(r"[^\W_]+", bare), ""])


def holds(text: str, answer: str) -> bool:
    return words_of(answer) in words_of(text)


def holds_stem(text: str, stem: str) -> bool:
    return words_of(stem).rstrip() in words_of(text)


def test_at_least_twelve_articles_half_of_them_italian():
    languages = Counter(language_of(name) for name in ARTICLES)
    assert len(ARTICLES) >= 12
    assert set(languages) == {"it", "en"}
    assert languages["it"] == languages["en"]


def test_every_article_tells_title_date_language_and_source():
    for name, (fields, _) in ARTICLES.items():
        assert set(fields) == {"title", "date", "language", "source"}, name
        assert all(fields.values()), name
        assert re.fullmatch(r"2024-0[34]-\d\d", fields["date"]), name


def test_articles_are_short_with_unix_newlines():
    for name, (_, body) in ARTICLES.items():
        assert 150 <= len(body.split()) <= 400, name
    assert not [path.name for path in SAMPLES.iterdir() if b"\r" in path.read_bytes()]


def test_gold_holds_enough_pairs_of_each_kind():
    kinds = Counter(pair["kind"] for pair in PAIRS)
    assert len(PAIRS) >= 40
    assert set(kinds) == {"factoid", *LEAST_PAIRS}
    assert {kind: kinds[kind] for kind in LEAST_PAIRS if kinds[kind] < LEAST_PAIRS[kind]} == {}


def test_ids_and_questions_are_unique():
    assert len({pair["id"] for pair in PAIRS}) == len(PAIRS)
    assert len({words_of(pair["question"]) for pair in PAIRS}) == len(PAIRS)


def test_every_line_has_the_fields_of_the_gold_format():
    fields = {"id", "question", "answers", "relevant", "answerable", "language", "kind", "meta"}
    assert [pair["id"] for pair in PAIRS if set(pair) != fields] == []
    assert [pair["id"] for pair in PAIRS if pair["answerable"] == (pair["kind"] == "unanswerable")] == []


def test_unanswerable_pairs_have_no_answers_and_no_documents():
    unanswerable = [pair for pair in PAIRS if not pair["answerable"]]
    assert [pair["id"] for pair in unanswerable if pair["answers"] or pair["relevant"]] == []
    reasons = Counter(pair["meta"]["why"] for pair in unanswerable)
    assert set(reasons) == {"near-miss", "off-topic"}
    assert min(reasons.values()) >= 5


@each_answerable
def test_relevant_documents_exist_and_answers_are_given(pair):
    assert pair["relevant"]
    assert set(pair["relevant"]) <= set(ARTICLES)
    assert len(set(pair["relevant"])) == len(pair["relevant"])
    assert pair["answers"]
    assert all(words_of(answer).strip() for answer in pair["answers"])


@each_answerable
def test_every_quote_stands_verbatim_in_a_relevant_document(pair):
    bodies = [ARTICLES[name][1] for name in pair["relevant"]]
    assert pair["meta"]["quotes"]
    assert [quote for quote in pair["meta"]["quotes"] if not any(quote in body for body in bodies)] == []


@each_answerable
def test_an_accepted_answer_stands_in_a_relevant_document_of_the_same_language(pair):
    if "all_of" in pair["meta"]:  # names and stems, which the languages share
        text = "\n".join(ARTICLES[name][1] for name in pair["relevant"])
        assert [part for part in pair["meta"]["all_of"] if not holds_stem(text, part)] == []
        assert [a for a in pair["answers"] if not all(holds_stem(a, p) for p in pair["meta"]["all_of"])] == []
    same = [name for name in pair["relevant"] if language_of(name) == pair["language"]]
    if same and "all_of" not in pair["meta"]:
        assert any(holds(ARTICLES[name][1], answer) for name in same for answer in pair["answers"])


def test_cross_lingual_answers_stand_only_in_other_languages():
    pairs = [pair for pair in PAIRS if pair["kind"] == "cross-lingual"]
    assert [p["id"] for p in pairs if p["language"] in map(language_of, p["relevant"])] == []


def test_factoid_answers_stand_in_the_language_of_the_question():
    pairs = [pair for pair in PAIRS if pair["kind"] == "factoid"]
    assert [p["id"] for p in pairs if p["language"] not in map(language_of, p["relevant"])] == []


def test_no_single_document_holds_both_quotes_of_a_two_document_pair():
    for pair in (pair for pair in PAIRS if pair["kind"] == "two-documents"):
        assert len(pair["relevant"]) >= 2
        assert len(pair["meta"]["quotes"]) >= 2
        for _, body in ARTICLES.values():
            assert not all(quote in body for quote in pair["meta"]["quotes"]), pair["id"]


def test_gold_lines_shown_in_the_docs_are_the_samples_own():
    docs = (SAMPLES.parent / "docs" / "formats.md").read_text(encoding="utf-8")
    shown = [json.loads(line) for line in docs.splitlines() if line.startswith('{"id"') and '"answerable"' in line]
    assert shown
    assert [pair["id"] for pair in shown if pair not in PAIRS] == []
