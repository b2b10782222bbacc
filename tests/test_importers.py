"""Other people's evaluation formats become gold.jsonl and corpus.jsonl. All texts are made up here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eval.data import Gold, read_gold
from eval.importers import FORMATS, CorpusDocument, Imported, import_gold, recognise, write_imported
from index.errors import BadGold
from index.load import Failure, SourceFile, load_documents
from rag.types import Turn

MILL = "The water mill at Ronta ground chestnut flour. Dino Berti closed it in 1961."
BRIDGE = "A stone bridge crosses the river below the mill."
SQUAD: dict[str, Any] = {
    "version": "v2.0",
    "data": [
        {
            "title": "Mill_of_Ronta",
            "paragraphs": [
                {
                    "context": MILL,
                    "qas": [
                        {
                            "id": "closed",
                            "question": "Who closed the mill?",
                            "is_impossible": False,
                            "answers": [
                                {"text": "Dino Berti", "answer_start": 47},
                                {"text": "Berti", "answer_start": 52},
                                {"text": "Dino Berti", "answer_start": 47},
                            ],
                        },
                        {
                            "id": "opened",
                            "question": "Who opened the mill?",
                            "is_impossible": True,
                            "answers": [],
                            "plausible_answers": [{"text": "Dino Berti", "answer_start": 47}],
                        },
                    ],
                },
                {"context": BRIDGE, "qas": []},
            ],
        },
        {
            "title": "Rivers",
            "paragraphs": [
                {
                    "context": MILL,
                    "qas": [
                        {
                            "id": "ground",
                            "question": "What did the mill grind?",
                            "answers": [{"text": "chestnut flour", "answer_start": 0}],
                        }
                    ],
                }
            ],
        },
    ],
}
HUB_ROWS: list[dict[str, Any]] = [
    {
        "id": "closed",
        "title": "Mill_of_Ronta",
        "context": MILL,
        "question": "Who closed the mill?",
        "answers": {"text": ["Dino Berti", "Berti", "Dino Berti"], "answer_start": [47, 52, 47]},
    },
    {
        "id": "opened",
        "title": "Mill_of_Ronta",
        "context": MILL,
        "question": "Who opened the mill?",
        "answers": {"text": [], "answer_start": []},
    },
    {
        "id": "ground",
        "title": "Rivers",
        "context": MILL,
        "question": "What did the mill grind?",
        "answers": {"text": ["chestnut flour"], "answer_start": [0]},
    },
]
CONTEXT = {"document_id": "p-1", "text": MILL, "title": "Mill", "url": "https://example.org/mill", "score": 9.5}
TASK = {
    "task_id": "c1<::>2",
    "conversation_id": "c1",
    "turn": 2,
    "input": [
        {"speaker": "user", "text": "What was at Ronta?"},
        {"speaker": "agent", "text": "A water mill."},
        {"speaker": "user", "text": "Who closed it?", "enrichments": {"answerability": ["UNANSWERABLE"]}},
    ],
    "targets": [{"speaker": "agent", "text": "Dino Berti closed it."}],
    "contexts": [CONTEXT],
    "Answerability": ["ANSWERABLE"],
    "Question Type": ["Factoid"],
    "Multi-Turn": ["Follow-up"],
}
NEW_ROW = {
    "user_input": "Who closed the mill?",
    "reference": "Dino Berti",
    "reference_contexts": [MILL],
    "retrieved_contexts": [BRIDGE, MILL],
    "response": "It was Dino Berti.",
}
OLD_ROW = {
    "question": "Who closed the mill?",
    "ground_truths": ["Dino Berti", "Berti"],
    "contexts": [BRIDGE],
    "answer": "It was Dino Berti.",
}


def write_json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def write_lines(path: Path, *lines: object) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def write_columns(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As `datasets.Dataset.to_dict` has it."""
    return write_json(path, {name: [row[name] for row in rows] for name in rows[0]})


def write_keyed(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As `pandas.DataFrame.to_json` writes it."""
    return write_json(path, {name: {str(n): row[name] for n, row in enumerate(rows)} for name in rows[0]})


def write_beir(
    folder: Path, qrels: str = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n", split: str = "test"
) -> Path:
    (folder / "qrels").mkdir(parents=True)
    write_lines(
        folder / "corpus.jsonl",
        {"_id": "d1", "title": "Mill", "text": MILL},
        {"_id": "d2", "title": "", "text": BRIDGE},
    )
    write_lines(
        folder / "queries.jsonl",
        {"_id": "q1", "text": "who closed the mill at Ronta", "metadata": {}},
        {"_id": "q2", "text": "how long is the bridge"},
    )
    (folder / "qrels" / f"{split}.tsv").write_text(qrels)
    return folder


def write_table(tmp_path: Path, text: str, name: str = "pairs.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def by_id(imported: Imported) -> dict[str, Gold]:
    return {gold.id: gold for gold in imported.golds}


def test_squad_answers_are_deduplicated_and_quoted(tmp_path: Path) -> None:
    imported = import_gold(write_json(tmp_path / "dev.json", SQUAD))
    closed = by_id(imported)["closed"]
    assert closed.answers == ("Dino Berti", "Berti")
    assert closed.relevant == ("Mill-of-Ronta-001",)
    assert (closed.answerable, closed.language, closed.kind) == (True, "en", "factoid")
    assert closed.meta == {"quotes": ["Dino Berti", "Berti"]}
    assert imported.skipped == ()


def test_squad_paragraphs_become_documents_and_equal_ones_are_one(tmp_path: Path) -> None:
    imported = import_gold(write_json(tmp_path / "dev.json", SQUAD), language="en")
    assert imported.documents == (
        CorpusDocument("Mill-of-Ronta-001", "Mill of Ronta", MILL, "en", "dev.json"),
        CorpusDocument("Mill-of-Ronta-002", "Mill of Ronta", BRIDGE, "en", "dev.json"),
    )
    assert by_id(imported)["ground"].relevant == ("Mill-of-Ronta-001",)


def test_squad_impossible_question_takes_no_plausible_answer(tmp_path: Path) -> None:
    opened = by_id(import_gold(write_json(tmp_path / "dev.json", SQUAD)))["opened"]
    assert (opened.answerable, opened.answers, opened.relevant, opened.kind) == (False, (), (), "unanswerable")
    assert opened.meta == {"paragraph": "Mill-of-Ronta-001"}


def test_squad_it_texts_stay_as_they_are_and_wrong_offsets_do_no_harm(tmp_path: Path) -> None:
    context = "L' acqua muoveva la ruota dell' antico mulino."
    questions = [
        {
            "id": "1",
            "question": "Che cosa muoveva l' acqua?",
            "answers": [{"text": "la ruota dell' antico", "answer_start": 3}],
        },
        {
            "id": "2",
            "question": "Di che cosa era la ruota?",
            "answers": [{"text": "mulino vecchio", "answer_start": 40}],
        },
    ]
    value = {"data": [{"title": "Mulino ad acqua", "paragraphs": [{"context": context, "qas": questions}]}]}
    imported = import_gold(write_json(tmp_path / "SQuAD_it-test.json", value))
    found, elsewhere = imported.golds
    assert imported.documents[0].text == context
    assert (found.answers, found.meta, found.language) == (
        ("la ruota dell' antico",),
        {"quotes": ["la ruota dell' antico"]},
        "it",
    )
    assert (elsewhere.answers, elsewhere.meta) == (("mulino vecchio",), {})


def test_squad_articles_of_one_title_keep_their_documents_apart(tmp_path: Path) -> None:
    def article(text: str) -> dict[str, object]:
        qas = [{"id": text, "question": f"What of {text}?", "answers": [{"text": text, "answer_start": 0}]}]
        return {"title": "Mill", "paragraphs": [{"context": text, "qas": qas}]}

    imported = import_gold(write_json(tmp_path / "a.json", {"data": [article("one"), article("two")]}))
    assert [gold.relevant for gold in imported.golds] == [("Mill-001",), ("Mill-002",)]


def test_squad_question_without_answer_or_paragraph_without_text_is_skipped(tmp_path: Path) -> None:
    paragraphs = [
        {
            "context": MILL,
            "qas": [{"id": "1", "question": "Who?", "answers": []}, SQUAD["data"][0]["paragraphs"][0]["qas"][0]],
        },
        {"context": " - ", "qas": [{"id": "2", "question": "What?", "answers": [{"text": "-", "answer_start": 1}]}]},
    ]
    imported = import_gold(write_json(tmp_path / "a.json", {"data": [{"paragraphs": paragraphs}]}))
    assert [gold.id for gold in imported.golds] == ["closed"]
    assert imported.skipped == (
        "data.0.paragraphs.0.qas.0: the question has no answer and is not marked impossible.",
        "data.0.paragraphs.1: the document 'article-002' has no text.",
    )


def test_squad_title_or_answers_may_be_null(tmp_path: Path) -> None:
    impossible = {"id": "1", "question": "Who opened the mill?", "answers": None, "is_impossible": True}
    unmarked = {"id": "2", "question": "Who built the mill?", "answers": None, "is_impossible": None}
    closed = SQUAD["data"][0]["paragraphs"][0]["qas"][0]
    paragraph = {"context": MILL, "qas": [impossible, unmarked, closed]}
    imported = import_gold(write_json(tmp_path / "a.json", {"data": [{"title": None, "paragraphs": [paragraph]}]}))
    assert [(gold.id, gold.answerable) for gold in imported.golds] == [("1", False), ("closed", True)]
    assert [(document.id, document.title) for document in imported.documents] == [("article-001", "")]
    assert imported.skipped == ("data.0.paragraphs.0.qas.1: the question has no answer and is not marked impossible.",)


def test_squad_rows_of_the_hub_are_the_same_as_its_file(tmp_path: Path) -> None:
    nested = import_gold(write_json(tmp_path / "a.json", SQUAD))
    rows = import_gold(write_json(tmp_path / "a.json", HUB_ROWS))
    assert rows.golds == nested.golds
    assert rows.documents == nested.documents[:1]  # a paragraph that nothing is asked of has no row


@pytest.mark.parametrize("write", [write_json, lambda path, rows: write_lines(path, *rows), write_columns, write_keyed])
def test_squad_rows_are_read_from_lists_lines_and_columns(
    tmp_path: Path, write: Callable[[Path, list[dict[str, Any]]], Path]
) -> None:
    path = write(tmp_path / "a.json", HUB_ROWS)
    assert recognise(path) == "squad"
    golds = import_gold(path).golds
    assert [(gold.id, gold.answers, gold.answerable) for gold in golds] == [
        ("closed", ("Dino Berti", "Berti"), True),
        ("opened", (), False),
        ("ground", ("chestnut flour",), True),
    ]
    assert {gold.relevant for gold in golds if gold.answerable} == {("Mill-of-Ronta-001",)}


def test_squad_rows_that_do_not_fit_are_told_with_their_lines(tmp_path: Path) -> None:
    with pytest.raises(BadGold, match=r"line 2: answers\.text: "):
        import_gold(write_lines(tmp_path / "a.jsonl", HUB_ROWS[0], HUB_ROWS[1] | {"answers": {"text": "Berti"}}))


def test_squad_faults_are_told_together_with_their_places(tmp_path: Path) -> None:
    qas = [{"id": "1", "answers": []}, {"id": "2", "question": 5}]
    value = {"data": [{"paragraphs": [{"context": MILL, "qas": qas}]}, {"title": "no paragraphs"}]}
    with pytest.raises(BadGold) as caught:
        import_gold(write_json(tmp_path / "a.json", value))
    for place in ("data.0.paragraphs.0.qas.0.question", "data.0.paragraphs.0.qas.1.question", "data.1.paragraphs"):
        assert place in str(caught.value)


def test_a_repeated_question_id_is_a_fault(tmp_path: Path) -> None:
    value = {"data": [*SQUAD["data"], SQUAD["data"][1]]}
    with pytest.raises(BadGold, match=r"data\.2\.paragraphs\.0\.qas\.0: the id 'ground' occurs twice"):
        import_gold(write_json(tmp_path / "a.json", value))


def test_beir_grades_above_zero_are_relevant(tmp_path: Path) -> None:
    imported = import_gold(write_beir(tmp_path / "mills"))
    assert imported.golds == (
        Gold("q1", "who closed the mill at Ronta", (), ("d1",), True, "en", "", {"grades": {"d1": 2, "d2": 0}}),
    )
    assert imported.documents[0] == CorpusDocument("d1", "Mill", MILL, "", "mills")
    assert imported.skipped == ("queries.jsonl: 1 query has no relevant document in test.tsv: q2.",)


def test_beir_reads_trec_qrels_without_a_header(tmp_path: Path) -> None:
    imported = import_gold(write_beir(tmp_path / "mills", "q1 0 d1 1\nq2 0 d2 1\n"))
    assert [(gold.id, gold.relevant) for gold in imported.golds] == [("q1", ("d1",)), ("q2", ("d2",))]


def test_beir_takes_test_before_dev_before_train_or_the_only_split(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "mills", "q1\td1\t1\n", "train")
    assert import_gold(folder).golds[0].relevant == ("d1",)
    (folder / "qrels" / "dev.tsv").write_text("q1\td2\t1\n")
    assert import_gold(folder).golds[0].relevant == ("d2",)
    only = write_beir(tmp_path / "others", "q2\td2\t1\n", "holdout")
    assert import_gold(only).golds[0].id == "q2"


def test_beir_judgments_of_unknown_queries_and_documents_are_skipped(tmp_path: Path) -> None:
    imported = import_gold(
        write_beir(tmp_path / "mills", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td9\t1\nq9\td1\t1\n")
    )
    assert imported.golds[0].relevant == ("d1",)
    assert imported.skipped[:2] == (
        "test.tsv line 3: the document 'd9' is not in corpus.jsonl.",
        "test.tsv line 4: the query 'q9' is not in queries.jsonl.",
    )


def test_beir_faults_of_all_its_files_are_told_together(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "mills", "query-id\tcorpus-id\tscore\nq1\td1\tmuch\nq1\n")
    with (folder / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "d1", "text": "again"}\n{not json\n{"_id": "d4"}\n')
    with pytest.raises(BadGold) as caught:
        import_gold(folder)
    for fault in (
        "corpus.jsonl line 3: the _id 'd1' occurs twice",
        "corpus.jsonl line 4: is not JSON (key must be a string at column 2)",
        "corpus.jsonl line 5: text: Field required",
        "test.tsv line 2: the score 'much' is not a whole number",
        "test.tsv line 3: needs query, document and score",
    ):
        assert fault in str(caught.value)


def test_beir_grade_written_as_a_float_is_the_whole_number(tmp_path: Path) -> None:
    imported = import_gold(write_beir(tmp_path / "mills", "q1\td1\t2.0\nq1\td2\t-1\n"))
    assert imported.golds[0].meta["grades"] == {"d1": 2, "d2": -1}
    assert type(imported.golds[0].meta["grades"]["d1"]) is int


@pytest.mark.parametrize("grade", ["0.5", "inf", "nan", "1e300"])
def test_beir_grade_that_is_no_whole_number_is_a_fault_also_on_the_first_line(tmp_path: Path, grade: str) -> None:
    with pytest.raises(BadGold, match=rf"test\.tsv line 1: the score '{grade}' is not a whole number"):
        import_gold(write_beir(tmp_path / "mills", f"q1\td1\t{grade}\nq1\td2\t1\n"))


def test_beir_folder_without_judgments_or_with_unclear_splits_is_refused(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "mills", "q1\td1\t1\n", "north")
    (folder / "qrels" / "south.tsv").write_text("q1\td1\t1\n")
    with pytest.raises(BadGold, match=r"there is only north\.tsv, south\.tsv"):
        import_gold(folder)
    for file in (folder / "qrels").iterdir():
        file.unlink()
    with pytest.raises(BadGold, match="there is none"):
        import_gold(folder)


def test_ragas_reference_contexts_are_relevant_and_retrieved_ones_only_documents(tmp_path: Path) -> None:
    imported = import_gold(write_lines(tmp_path / "rows.jsonl", NEW_ROW))
    (gold,) = imported.golds
    texts = {document.text: document.id for document in imported.documents}
    assert set(texts) == {MILL, BRIDGE}
    assert len(imported.documents) == 2
    assert gold.relevant == (texts[MILL],)
    assert (gold.id, gold.question, gold.answers) == ("row-1", "Who closed the mill?", ("Dino Berti",))
    assert gold.meta == {"response": "It was Dino Berti."}


def test_ragas_first_generation_has_several_ground_truths(tmp_path: Path) -> None:
    single = {name: value for name, value in OLD_ROW.items() if name != "ground_truths"} | {"ground_truth": "Berti"}
    several, one = import_gold(write_json(tmp_path / "rows.json", [OLD_ROW, single])).golds
    assert (several.answers, several.relevant) == (("Dino Berti", "Berti"), ())
    assert several.meta == {"response": "It was Dino Berti."}
    assert one.answers == ("Berti",)


@pytest.mark.parametrize(
    "cell",
    [
        json.dumps([MILL, BRIDGE]),
        repr([MILL, BRIDGE]),
        f"['{MILL}'\n '{BRIDGE}']",  # numpy's notation, as pandas writes it: without commas it would be one string
    ],
)
def test_ragas_lists_in_a_csv_cell_are_read(tmp_path: Path, cell: str) -> None:
    quoted = cell.replace('"', '""')
    path = write_table(tmp_path, f'user_input,reference,reference_contexts\nWho?,Berti,"{quoted}"\n[sic] Who?,Berti,\n')
    imported = import_gold(path)
    assert [document.text for document in imported.documents] == [MILL, BRIDGE]
    assert len(imported.golds[0].relevant) == 2
    assert imported.golds[1].question == "[sic] Who?"


def test_ragas_cell_that_only_begins_like_a_list_is_a_fault(tmp_path: Path) -> None:
    path = write_table(tmp_path, "user_input,reference,reference_contexts\nWho?,Berti,[half\n")
    with pytest.raises(BadGold, match="line 2: reference_contexts: begins like a list"):
        import_gold(path)


def test_ragas_cell_longer_than_the_csv_reader_takes_by_itself(tmp_path: Path) -> None:
    long = "mill " * 40_000
    imported = import_gold(write_table(tmp_path, f"user_input,reference,contexts\nWho?,Berti,{long}\n"))
    assert imported.documents[0].text == long.strip()


@pytest.mark.parametrize("names", [("type", "human", "ai"), ("role", "user", "assistant")])
def test_ragas_conversation_ends_with_the_users_last_turn(tmp_path: Path, names: tuple[str, str, str]) -> None:
    who, user, agent = names
    messages = [
        {who: "system", "content": "Be brief."},
        {who: user, "content": "What was at Ronta?"},
        {who: agent, "content": "A mill."},
        {who: user, "content": "Who closed it?"},
        {who: agent, "content": "Berti did."},
    ]
    (gold,) = import_gold(write_lines(tmp_path / "r.jsonl", {"user_input": messages, "reference": "Berti"})).golds
    assert gold.question == "Who closed it?"
    assert gold.meta["history"] == [Turn("user", "What was at Ronta?"), Turn("agent", "A mill.")]
    assert gold.meta["response"] == "Berti did."  # type: ignore[typeddict-item]


def test_ragas_row_with_nothing_to_hold_an_answer_against_is_skipped(tmp_path: Path) -> None:
    bare: dict[str, object] = {"user_input": "Who?", "response": "Berti", "reference": None, "reference_contexts": []}
    imported = import_gold(write_lines(tmp_path / "r.jsonl", bare, NEW_ROW))
    assert [gold.id for gold in imported.golds] == ["row-2"]
    assert imported.skipped[0].startswith("line 1: there is neither a reference nor")


def test_ragas_nulls_among_the_contexts_are_left_out(tmp_path: Path) -> None:
    row = NEW_ROW | {"reference_contexts": [None, MILL], "retrieved_contexts": [None]}
    imported = import_gold(write_lines(tmp_path / "r.jsonl", row, OLD_ROW | {"contexts": [BRIDGE, None]}))
    assert [document.text for document in imported.documents] == [MILL, BRIDGE]
    assert [len(gold.relevant) for gold in imported.golds] == [1, 0]


@pytest.mark.parametrize("write", [write_columns, write_keyed])
@pytest.mark.parametrize("row", [NEW_ROW, OLD_ROW])
def test_ragas_columns_are_read_like_rows(
    tmp_path: Path, write: Callable[[Path, list[dict[str, Any]]], Path], row: dict[str, Any]
) -> None:
    rows = [row, row | {next(iter(row)): "Who owned it?"}]
    path = write(tmp_path / "a.json", rows)
    assert recognise(path) == "ragas"
    assert import_gold(path) == import_gold(write_json(path, rows))


def test_ragas_single_conversation_is_a_row_and_not_a_column(tmp_path: Path) -> None:
    row = {"user_input": [{"type": "human", "content": "Who closed it?"}], "reference_contexts": [MILL]}
    (gold,) = import_gold(write_json(tmp_path / "a.json", row)).golds
    assert gold.question == "Who closed it?"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"question": ["Who?", "When?"], "ground_truth": ["Berti"]},
            "differ in length: 'question' 2, 'ground_truth' 1",
        ),
        ({"question": {"0": "Who?"}, "ground_truth": "Berti"}, "'ground_truth' must be columns"),
    ],
)
def test_columns_that_make_no_table_are_a_fault(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(BadGold, match=message):
        import_gold(write_json(tmp_path / "a.json", columns))


def test_ragas_faults_name_their_lines(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "r.jsonl", NEW_ROW, {"reference": "Berti"}, "{not json", [], OLD_ROW | {"contexts": 5}
    )
    with pytest.raises(BadGold) as caught:
        import_gold(path)
    for fault in ("line 2: question: Field required", "line 3: is not JSON", "line 4: Input should be a valid dict"):
        assert fault in str(caught.value)
    assert "line 1" not in str(caught.value)
    assert "line 5: retrieved_contexts" in str(caught.value)


def test_mtrag_task_is_its_last_turn_and_its_own_label_wins(tmp_path: Path) -> None:
    imported = import_gold(write_lines(tmp_path / "reference.jsonl", json.dumps(TASK | {"Validity": float("nan")})))
    (gold,) = imported.golds
    assert (gold.id, gold.question, gold.answers) == ("c1<::>2", "Who closed it?", ("Dino Berti closed it.",))
    assert (gold.relevant, gold.answerable, gold.kind) == (("p-1",), True, "factoid")
    assert gold.meta == {
        "history": [Turn("user", "What was at Ronta?"), Turn("agent", "A water mill.")],
        "question_type": "factoid",
        "multi_turn": "follow-up",
    }
    assert imported.documents == (CorpusDocument("p-1", "Mill", MILL, "", "https://example.org/mill"),)


@pytest.mark.parametrize("label", ["UNANSWERABLE", "CONVERSATIONAL", "UNDERSPECIFIED"])
def test_mtrag_turn_to_be_refused_has_no_answer_and_keeps_the_reply_aside(tmp_path: Path, label: str) -> None:
    (gold,) = import_gold(write_lines(tmp_path / "t.jsonl", TASK | {"Answerability": [label]})).golds
    assert (gold.answerable, gold.answers, gold.relevant, gold.kind) == (False, (), (), label.lower())
    assert gold.meta["reference_reply"] == ["Dino Berti closed it."]  # type: ignore[typeddict-item]


def test_mtrag_partial_turn_is_answerable(tmp_path: Path) -> None:
    (gold,) = import_gold(write_lines(tmp_path / "t.jsonl", TASK | {"Answerability": "PARTIAL"})).golds
    assert (gold.answerable, gold.relevant, gold.kind) == (True, ("p-1",), "partial")


def test_mtrag_conversation_gives_a_pair_for_each_answered_turn(tmp_path: Path) -> None:
    refused = {"relevant": {"someone": {"value": "no"}}}
    taken = {"relevant": {"someone": {"value": "no"}, "another": {"value": "yes"}}}
    contexts = [CONTEXT | {"feedback": taken}, {"document_id": "p-2", "text": BRIDGE, "feedback": refused}]
    labels = {"Answerability": ["ANSWERABLE"], "Question Type": ["Explanation"]}
    messages = [
        {"speaker": "user", "text": "Hello!", "enrichments": {"Answerability": ["CONVERSATIONAL"]}},
        {"speaker": "agent", "text": "Hello."},
        {"speaker": "user", "text": "What was at Ronta?", "enrichments": labels},
        {"speaker": "agent", "text": "A water mill.", "contexts": contexts},
        {"speaker": "user", "text": "And then?"},
    ]
    imported = import_gold(write_json(tmp_path / "conversations.json", [{"author": "someone", "messages": messages}]))
    hello, mill = imported.golds
    assert (hello.id, hello.answerable, hello.kind) == ("conversation-1::1", False, "conversational")
    assert (mill.id, mill.answers, mill.kind) == ("conversation-1::2", ("A water mill.",), "explanation")
    assert mill.meta["history"] == [Turn("user", "Hello!"), Turn("agent", "Hello.")]
    assert mill.relevant == ("p-1",)
    assert [(document.id, document.source) for document in imported.documents] == [
        ("p-1", "https://example.org/mill"),
        ("p-2", "conversations.json"),
    ]
    assert imported.skipped == ("record 1, turn 3: the user got no reply.",)


def test_mtrag_unknown_label_and_changed_context_are_told(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "t.jsonl",
        TASK,
        TASK | {"task_id": "c1<::>3", "contexts": [CONTEXT | {"text": BRIDGE}]},
        TASK | {"task_id": "c1<::>4", "Answerability": ["PERHAPS"]},
        TASK | {"task_id": "c1<::>5", "targets": [], "contexts": None},
    )
    imported = import_gold(path)
    assert [gold.id for gold in imported.golds] == ["c1<::>2", "c1<::>3"]
    assert imported.documents[0].text == MILL
    assert [sentence.split(":")[0] for sentence in imported.skipped] == ["line 2", "line 3", "line 4"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_table_is_read_with_each_delimiter(tmp_path: Path, delimiter: str) -> None:
    rows = [["Question", "Answer"], ["Who?", '"Berti, Dino; miller\tof Ronta"'], ["When?", "1961|in 1961"]]
    path = write_table(tmp_path, "".join(delimiter.join(row) + "\r\n" for row in rows))
    who, when = import_gold(path).golds
    assert who.answers == ("Berti, Dino; miller\tof Ronta",)
    assert (when.id, when.answers, when.answerable) == ("row-2", ("1961", "in 1961"), True)


def test_table_header_is_matched_loosely_in_both_languages(tmp_path: Path) -> None:
    text = (
        "\ufeffID;Domanda;Risposta attesa;Documenti;Lingua;Tipo\na;Chi chiuse il mulino?;Berti;m.txt|n.txt;IT;fatto\n"
    )
    (gold,) = import_gold(write_table(tmp_path, text)).golds
    assert gold == Gold("a", "Chi chiuse il mulino?", ("Berti",), ("m.txt", "n.txt"), True, "it", "fatto")


def test_table_question_without_answer_or_so_marked_is_unanswerable(tmp_path: Path) -> None:
    text = "q,a,document,unanswerable\nWho?,,m.txt,\nWhen?,1961,m.txt,TRUE\nWhere?,Ronta,m.txt,no\n"
    golds = import_gold(write_table(tmp_path, text)).golds
    assert [(gold.answerable, gold.answers, gold.relevant) for gold in golds] == [
        (False, (), ()),
        (False, (), ()),
        (True, ("Ronta",), ("m.txt",)),
    ]
    assert [gold.kind for gold in golds] == ["unanswerable", "unanswerable", ""]


@pytest.mark.parametrize("answer", ["n/a", "N/A", "None", "-", "unanswerable", "Nessuna", "nessuna risposta."])
def test_table_answer_that_says_there_is_none_makes_the_question_unanswerable(tmp_path: Path, answer: str) -> None:
    text = f"q,a,document\nWho?,{answer},m.txt\nWhich?,none|Berti,m.txt\nWhere?,None of these,m.txt\n"
    none, which, where = import_gold(write_table(tmp_path, text)).golds
    assert (none.answerable, none.answers, none.relevant, none.kind) == (False, (), (), "unanswerable")
    assert which.answers == ("none", "Berti")
    assert where.answers == ("None of these",)


def test_table_none_is_an_answer_where_the_question_is_said_to_have_one(tmp_path: Path) -> None:
    (gold,) = import_gold(write_table(tmp_path, "q,a,unanswerable\nHow many?,none,no\n")).golds
    assert (gold.answerable, gold.answers) == (True, ("none",))


def test_table_faults_are_told_with_the_line_where_their_row_begins(tmp_path: Path) -> None:
    text = (
        'id,question,answer,unanswerable,language\na,"Who\nclosed it?",Berti,,\na,When?,1961,,\n'
        "b,Where?,Ronta,maybe,\nc,Why?,Age,,Italian\nd,How?,Slowly,,,more\n"
    )
    with pytest.raises(BadGold) as caught:
        import_gold(write_table(tmp_path, text))
    for fault in (
        "line 4: the id 'a' occurs twice",
        "line 5: unanswerable: 'maybe' is neither",
        "line 6: language: 'italian'",
        "line 7: has 6 cells",
    ):
        assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question,notes\nWho?,-\n", "no column named answer; it has 'question', 'notes'"),
        ("question,domanda,answer\nWho?,Chi?,Berti\n", "several columns of one meaning: question and domanda"),
        ('question,answer\n"Who?,Berti\n', "not a table"),
        ("question,answer\n ,Berti\n", "no question that can be used. line 2: the question is empty"),
    ],
)
def test_table_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadGold) as caught:
        import_gold(write_table(tmp_path, text), "csv")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("format", "write"),
    [
        ("squad", lambda folder: write_json(folder / "a.json", SQUAD)),
        ("beir", lambda folder: write_beir(folder / "a")),
        ("ragas", lambda folder: write_lines(folder / "a.jsonl", NEW_ROW)),
        ("ragas", lambda folder: write_json(folder / "a.json", [OLD_ROW])),
        ("ragas", lambda folder: write_table(folder, "question,answer,contexts,ground_truth\n")),
        ("mtrag", lambda folder: write_lines(folder / "a.jsonl", TASK)),
        ("mtrag", lambda folder: write_json(folder / "a.json", [{"messages": []}])),
        ("csv", lambda folder: write_table(folder, "domanda\trisposta\n", "a.tsv")),
    ],
)
def test_each_format_is_recognised(tmp_path: Path, format: str, write: Callable[[Path], Path]) -> None:
    assert recognise(write(tmp_path)) == format
    assert format in FORMATS


@pytest.mark.parametrize(
    "text",
    ["[]", '{"id": 1, "body": "x"}', "alpha,beta\n1,2\n", '["question", "answer"]', "Some prose of no format.\n"],
)
def test_what_is_in_no_known_format_is_refused_with_the_formats(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadGold, match="squad, beir, ragas, mtrag, csv"):
        import_gold(write_table(tmp_path, text, "a.json"))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n",
        b"\xff\xfe\x00",
        b"{",
        b"[1, 2]",
        b'{"data": 5}',
        b'"text"',
        b'[{"user_input": ["\\ud800"]}]',
        b"[" * 5000,
        b'question,answer\n"',
        b"user_input,reference\n,\n",
    ],
)
def test_no_content_makes_an_importer_crash(tmp_path: Path, format: str, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    for chosen in (format, None):
        with pytest.raises(BadGold) as caught:
            import_gold(path, chosen)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("format", [*FORMATS, None])
def test_a_missing_file_and_a_plain_folder_are_refused(tmp_path: Path, format: str | None) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(BadGold, match=str(tmp_path)):
            import_gold(path, format)


def test_a_wrong_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("question,answer\nPerché?,Così\n".encode("cp1252"))
    with pytest.raises(BadGold, match=r"not UTF-8 \(byte 21\): save it as UTF-8"):
        import_gold(path)


def test_unknown_format_and_language_are_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path, "question,answer\nWho?,Berti\n")
    with pytest.raises(BadGold, match="no format 'trec': give one of squad"):
        import_gold(path, "trec")
    with pytest.raises(BadGold, match="'italian' is no language code"):
        import_gold(path, language="italian")


def test_many_faults_are_not_recited_in_full(tmp_path: Path) -> None:
    with pytest.raises(BadGold, match=r"line 21: .*; and 80 more\.$"):
        import_gold(write_lines(tmp_path / "r.jsonl", NEW_ROW, *[{"reference": "x"}] * 100))


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_json(folder / "a.json", SQUAD),
        lambda folder: write_beir(folder / "a"),
        lambda folder: write_lines(folder / "a.jsonl", NEW_ROW | {"user_input": "Who\u2028closed it?"}),
        lambda folder: write_lines(folder / "a.jsonl", TASK),
    ],
)
def test_what_is_written_is_read_back(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    imported, out = import_gold(write(tmp_path)), tmp_path / "new" / "out"
    write_imported(imported, out)
    assert read_gold(out / "gold.jsonl") == list(imported.golds)
    failures: list[Failure] = []
    corpus = SourceFile(out / "corpus.jsonl", "corpus.jsonl")
    loaded = [document for _, document in load_documents([corpus], on_failure=failures.append) if document]
    assert failures == []
    assert [(document.id, document.title, document.text) for document in loaded] == [
        (document.id, document.title, document.text) for document in imported.documents
    ]
    assert {id for gold in imported.golds for id in gold.relevant} <= {document.id for document in loaded}


def test_an_id_is_the_one_that_the_library_will_keep(tmp_path: Path) -> None:
    odd = "re\u0301gime\u200b "
    imported = import_gold(write_lines(tmp_path / "t.jsonl", TASK | {"contexts": [CONTEXT | {"document_id": odd}]}))
    write_imported(imported, tmp_path / "out")
    corpus = SourceFile(tmp_path / "out" / "corpus.jsonl", "corpus.jsonl")
    ((_, document),) = load_documents([corpus], on_failure=lambda failure: None)
    assert document is not None
    assert imported.golds[0].relevant == (document.id,)


def test_a_table_has_no_documents_and_leaves_the_corpus_beside_it_alone(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text("mine")
    write_imported(import_gold(write_table(tmp_path, "q,a\nWho?,Berti\n")), tmp_path)
    assert (tmp_path / "corpus.jsonl").read_text() == "mine"
    assert read_gold(tmp_path / "gold.jsonl")[0].answers == ("Berti",)


def test_files_that_are_there_already_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text("mine")
    with pytest.raises(BadGold, match=r"corpus\.jsonl would be overwritten"):
        write_imported(import_gold(write_json(tmp_path / "a.json", SQUAD)), tmp_path)
    assert not (tmp_path / "gold.jsonl").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    imported = import_gold(write_json(tmp_path / "a.json", SQUAD))
    with pytest.raises(BadGold, match="cannot be written"):
        write_imported(imported, tmp_path / "a.json")


def test_one_file_that_cannot_be_written_leaves_neither(tmp_path: Path) -> None:
    imported, out = import_gold(write_json(tmp_path / "a.json", SQUAD)), tmp_path / "out"
    (out / "gold.jsonl.new").mkdir(parents=True)
    with pytest.raises(BadGold, match="cannot be written"):
        write_imported(imported, out)
    assert [path.name for path in out.iterdir()] == ["gold.jsonl.new"]
