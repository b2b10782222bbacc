"""How exercises are made and what is learnt of them, on a few made-up paragraphs and a tiny encoder."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from conftest import FakeEmbedder
from tiny_reader import make_encoder

from eval.data import read_gold
from rag.reader_input import Pair, RowMaker
from train import written
from train.alter import negated, renumbered, swapped, typed, without
from train.batches import batched, collate, lessons
from train.cached import CachedEmbedder
from train.exercises import Exercise, Group, bearing
from train.groups import GroupMaker, first_half
from train.material import paragraph_id, read_material, read_texts
from train.tidy import cropped, tidied
from train.written import read_written

SHARED = Path(__file__).parent.parent.parent / "shared"
HELD_OUT = Path(written.__file__).parent / "held_out.jsonl"
SAMPLES = Path(__file__).parent.parent / "samples"

ENGLISH = (
    "The mill of Borgo was built in 1820 by Anna Neri. It burnt down in 1911. Today it grinds spelt for Carlo Bassi."
)
ITALIAN = "Il mulino di Borgo fu costruito nel 1820 da Anna Neri. Bruciò nel 1911. Oggi macina farro per Carlo Bassi."


def row(question: str, passage: str, answer: str | None, language: str, **more: object) -> dict[str, object]:
    start = passage.index(answer) if answer else None
    given = {"question": question, "passage": passage, "title": "Borgo", "answer": answer, "start": start}
    return {**given, "language": language, "passage_language": language, "article": 1, **more}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "read.jsonl"
    made = [
        row("Who built the mill of Borgo?", ENGLISH, "Anna Neri", "en"),
        row("When did the mill burn down?", ENGLISH, "1911", "en"),
        row("Chi costruì il mulino di Borgo?", ITALIAN, "Anna Neri", "it"),
        row("Quando bruciò il mulino?", ITALIAN, "1911", "it"),
        row("Who paints?", "Rita Sala paints in the old tower. Her house is red.", "Rita Sala", "en", article=2),
        row("Who built the mill of Borgo?", "Rita Sala paints in the old tower. Her house is red.", None, "en"),
    ]
    file.write_text("".join(json.dumps(each) + "\n" for each in made), encoding="utf-8")
    return file


def made_groups(rows: Path, fake_embedder: FakeEmbedder, seed: int = 1) -> list[Group]:
    material = read_material(rows, fake_embedder)
    lines = {
        "passage": paragraph_id(ENGLISH),
        "questions": [
            {"language": "en", "question": "Who owns it?", "answer": "Carlo Bassi", "near_miss": "Who sold it?"}
        ],
        "claims": [
            {"language": "en", "claim": "Fire took it in 1911.", "altered": "Fire took it in 1912.", "kind": "date"}
        ],
    }
    file = rows.with_name("written.jsonl")
    file.write_text(json.dumps(lines) + "\n", encoding="utf-8")
    return GroupMaker(material, list(read_written([file])), fake_embedder, seed=seed).groups()


def test_what_holds_stands_beside_what_does_not(rows: Path, fake_embedder: FakeEmbedder) -> None:
    groups = made_groups(rows, fake_embedder)
    assert {"own language", "written", "written claim"} <= {group.kind for group in groups}
    for group in groups:
        assert {exercise.holds for exercise in group.exercises} == {True, False}
        assert len({exercise.pair.task for exercise in group.exercises}) == 1


def test_answers_are_where_they_are_said_to_be(rows: Path, fake_embedder: FakeEmbedder) -> None:
    found = [e for group in made_groups(rows, fake_embedder) for e in group.exercises if e.answer]
    assert found
    for exercise in found:
        assert exercise.holds
        assert exercise.pair.text[slice(*exercise.answer)] in {"Anna Neri", "1911", "Rita Sala", "Carlo Bassi"}
        assert any(bears for _, _, bears in exercise.sentences)


def test_the_same_seed_makes_the_same_exercises_and_another_others(rows: Path, fake_embedder: FakeEmbedder) -> None:
    assert made_groups(rows, fake_embedder) == made_groups(rows, fake_embedder)
    assert made_groups(rows, fake_embedder) != made_groups(rows, fake_embedder, seed=2)


def test_a_row_whose_answer_is_elsewhere_is_an_error(tmp_path: Path, fake_embedder: FakeEmbedder) -> None:
    file = tmp_path / "read.jsonl"
    file.write_text(json.dumps(row("Who?", ENGLISH, "Anna Neri", "en") | {"start": 3}) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="'Anna Neri' is not at 3"):
        read_material(file, fake_embedder)


@pytest.mark.parametrize("seed", range(20))
def test_stretches_keep_the_answer(seed: int) -> None:
    text = "L' anno 1820 vide il mulino. Nell' anno 1911 bruciò. Poi l' acqua tornò e Anna Neri lo riaprì."
    at = text.index("1911")
    crop, span = cropped(text, "it", (at, at + 4), 40, random.Random(seed))
    assert span and crop[slice(*span)] == "1911"
    tidy, span = tidied(text, (at, at + 4))
    assert span and tidy[slice(*span)] == "1911"
    assert "L'anno" in tidy


def test_one_thing_is_changed() -> None:
    rng = random.Random(3)
    claim = "The mill burnt down in 1911."
    assert swapped(claim, ENGLISH, rng) == "The mill burnt down in 1820."
    changed = renumbered(claim, ENGLISH, rng)
    assert changed.startswith("The mill burnt down in 19") and changed != claim
    assert negated("The mill was built.", "en") == "The mill was not built."
    assert negated("The mill was not built.", "en") == "The mill was built."
    assert negated("Il mulino è chiuso.", "it") == "Il mulino non è chiuso."
    assert negated("水车坊", "zh") == renumbered("no number", "", rng) == swapped("nothing", "", rng) == ""
    assert without("A b. C d.", ["C d."]) == "A b.  "
    assert all(typed("Perché è così?", random.Random(i)) for i in range(9))


def test_rows_of_a_batch_are_told_what_to_say(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    folder, _ = make_encoder(tmp_path)
    maker = RowMaker(Tokenizer.from_file(str(folder / "tokenizer.json")))
    text = "Il mulino di Borgo macina grano. Oggi macina farro."
    at = text.index("farro")
    holding = Exercise(Pair("read", "quale grano?", text), True, (at, at + 5), bearing(text, "it", [(at, at + 5)]))
    missing = Exercise(Pair("read", "quale Borgo?", text), False)
    somewhere = Exercise(Pair("read", "quale farro?", text), True)
    claim = Exercise(Pair("support", "Borgo macina.", text), True)
    made = lessons([Group("x", (holding, missing)), Group("y", (somewhere, claim))], maker, most_tokens=64)
    batch = collate(made)
    first, last = batch["answers"][0].tolist()
    assert first == last and batch["ids"][0, first] == maker.rows([Pair("read", "", "farro")])[0].ids[-2]
    assert batch["answers"].tolist()[1:] == [[0, 0], [-1, -1], [-1, -1]]
    assert batch["groups"].tolist() == [0, 0, 1, 1]
    assert batch["claims"].tolist() == [False, False, False, True]
    assert [bears for *_, bears in batch["sentences"].tolist()] == [0, 1]
    assert batch["allowed"][0, first] and batch["allowed"][0, 0] and not batch["allowed"][0, 1]
    assert lessons([Group("x", (holding, missing))], maker, most_tokens=16) == []  # the answer lies beyond
    assert sum(len(batch) for batch in batched(made * 20, 200, random.Random(1))) == 40


def test_the_loss_falls(tmp_path: Path) -> None:
    import torch
    from tokenizers import Tokenizer

    from rag.reader_model import ReaderModel, open_encoder
    from rag.reader_weights import freeze
    from train.learner import Learner

    torch.manual_seed(1)
    folder, _ = make_encoder(tmp_path)
    maker = RowMaker(Tokenizer.from_file(str(folder / "tokenizer.json")))
    text = "Il mulino di Borgo macina grano. Oggi macina farro."
    at = text.index("farro")
    group = Group(
        "x",
        (
            Exercise(Pair("read", "quale grano?", text), True, (at, at + 5), bearing(text, "it", [(at, at + 5)])),
            Exercise(Pair("read", "quale Borgo?", text), False),
            Exercise(Pair("support", "Borgo macina.", text), True),
            Exercise(Pair("support", "il query.", text), False),
        ),
    )
    model = ReaderModel(open_encoder(folder)).float()
    freeze(model)
    before = model.encoder.embeddings.word_embeddings.weight.clone()
    learner, batch = Learner(model), collate(lessons([group], maker, most_tokens=64))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(80):
        loss = learner(**batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert torch.equal(model.encoder.embeddings.word_embeddings.weight, before)


def test_vectors_are_computed_once(tmp_path: Path, fake_embedder: FakeEmbedder) -> None:
    first = CachedEmbedder(fake_embedder, tmp_path / "v.npz").embed_passages(["a", "b", "a"])
    fake_embedder.embed_passages = None  # type: ignore[assignment,method-assign]
    again = CachedEmbedder(fake_embedder, tmp_path / "v.npz").embed_passages(["b", "a"])
    assert np.allclose(again, first[[1, 0]])


def test_what_was_written_is_complete_and_nothing_of_it_is_in_the_samples() -> None:
    held = {one.passage for one in read_written([HELD_OUT])}
    taught = list(read_written(sorted(written.FOLDER.glob("*.jsonl"))))
    asked = [(one.passage, text) for one in taught for q in one.questions for text in (q.question, q.near_miss)]
    assert len(set(asked)) == len(asked) >= 19_000
    assert not held & {one.passage for one in taught}
    samples = " ".join(
        file.read_text(encoding="utf-8") for file in SAMPLES.rglob("*") if file.suffix in (".md", ".jsonl")
    )
    for one in taught:
        assert (len(one.questions), len(one.claims)) in ((2, 3), (3, 2))
        for text in [q.question for q in one.questions] + [c.claim for c in one.claims]:
            assert text not in samples


@pytest.mark.skipif(not (SHARED / "traindata").is_dir(), reason="../shared/traindata is absent")
def test_no_article_or_question_that_measures_is_trained_on() -> None:
    rows = [json.loads(line) for line in (SHARED / "traindata" / "read.jsonl").read_text(encoding="utf-8").splitlines()]
    taught = {row["passage"] for row in rows}
    asked = {row["question"] for row in rows} | {
        text
        for one in read_written(sorted(written.FOLDER.glob("*.jsonl")))
        for question in one.questions
        for text in (question.question, question.near_miss)
    }
    ids = set(json.loads((SHARED / "traindata" / "held_out_gold_ids.json").read_text(encoding="utf-8"))["ids"])
    about = {one.passage for one in read_written(sorted(written.FOLDER.glob("*.jsonl")))}
    first, second = set(), set()
    for name in ("clapnq_dev", "mtrag_un"):
        texts = {id: text for id, (text, _) in read_texts(SHARED / "evaldata" / name).items()}
        golds = list(read_gold(SHARED / "evaldata" / name / "gold.jsonl"))
        for of in ([g for g in golds if g.answerable], [g for g in golds if not g.answerable]):
            half = {gold.id for gold in first_half(of)}
            for gold in of:
                near = (*gold.meta.get("near_passage", []), *gold.meta.get("contexts", []))
                shown = {paragraph_id(texts[id]) for id in (*gold.relevant, *near)}
                (first if gold.id in half else second).update(shown)
    assert about <= {*map(paragraph_id, taught)} | (first - second)
    assert not {one.passage for one in read_written([HELD_OUT])} & {*map(paragraph_id, taught)}
    for name in ("squad_it", "xling_it_question_en_docs"):
        folder = SHARED / "evaldata" / name
        texts = {d["id"]: d["text"] for d in map(json.loads, (folder / "corpus.jsonl").open(encoding="utf-8"))}
        for gold in map(json.loads, (folder / "gold.jsonl").open(encoding="utf-8")):
            if gold["id"] in ids:
                assert gold["question"] not in asked
                assert not taught & {texts[document] for document in gold["relevant"]}
