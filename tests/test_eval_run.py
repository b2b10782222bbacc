"""An evaluation from gold pairs to scores.json: interrupted, resumed, refused. The library is real."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.cache import Cache
from eval.corpus import check_relevant, library_for, texts_of
from eval.data import Gold, Row, read_run
from eval.results import Scores
from eval.run import Outcome
from eval.run import evaluate as evaluate_system
from eval.systems import FonteSystem, SearchSystem
from index.embed import Embedder
from index.errors import BadGold, BadQuestion, BadRun, FonteError, GenerationFailed
from index.library import Library, Progress
from rag.types import Answer, Citation, Turn

CORPUS = {
    "museum": "Ada Conti has led the museum since 2019. The roof was repaired in 2021.",
    "library": "Bruno Neri runs the city library. It lends forty thousand books a year.",
    "garden": "The botanical garden grows palms and orchids. Carla Riva looks after them.",
}
GOLDS = [
    Gold("led", "Who has led the museum?", ("Ada Conti",), ("museum",), True, "en", "factoid"),
    Gold("runs", "Who runs the city library?", ("Bruno Neri",), ("library",), True, "en", "factoid"),
    Gold("cost", "How much did the roof cost?", (), (), False, "en", "unanswerable"),
    Gold("palms", "Who looks after palms and orchids?", ("Carla Riva",), ("garden",), True, "en", "factoid"),
    Gold("books", "How many books does the library lend?", ("forty thousand",), ("library",), True, "en", "factoid"),
    Gold("roof", "When was the roof repaired?", ("2021",), ("museum",), True, "en", "factoid"),
]
SETTINGS = {"model": "first sentence"}


class FirstSentence:
    """Answers with the first sentence of the best passage, quoted; `before` sees each question first."""

    def __init__(self, library: Library, before: Callable[[str], None] = lambda question: None) -> None:
        self.library, self.before = library, before
        self.asked: list[tuple[str, list[Turn]]] = []

    def answer(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        self.before(question)
        self.asked.append((question, list(history)))
        passages = self.library.search(question, k=3)
        best = passages[0].document
        end = best.text.index(".") + 1
        citation = Citation(1, best.id, 0, end, best.text[:end], 1.0)
        times = {"first_token_s": 0.1, "total_s": 0.2, "prompt_tokens": 100.0, "output_tokens": 9.0}
        return Answer(question, f"{citation.quote} [1]", "en", (), (citation,), False, "", tuple(passages), times)


def write_corpus(path: Path, texts: dict[str, str] = CORPUS) -> Path:
    path.write_text("".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in texts.items()))
    return path


@pytest.fixture
def library(tmp_path: Path, fake_embedder: Embedder) -> Iterator[Library]:
    with library_for(write_corpus(tmp_path / "corpus.jsonl"), tmp_path / "cache", fake_embedder) as opened:
        yield opened


def outcome_of(
    golds: Sequence[Gold],
    answerer: FirstSentence | None,
    library: Library,
    out: Path,
    *,
    settings: Mapping[str, object] = SETTINGS,
    k: int = 10,
    cache: Cache | None = None,
    fresh: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Evaluate `answerer`, or the search alone where it is None."""
    system = FonteSystem(answerer, library, settings) if answerer else SearchSystem(library, k)
    return evaluate_system(
        golds,
        system,
        out,
        text_of=texts_of(library),
        retrieval_only=answerer is None,
        cache=cache,
        fresh=fresh,
        on_progress=on_progress,
    )


def evaluate(*arguments: Any, **options: Any) -> Scores:
    return outcome_of(*arguments, **options).scores


def failing_at(*numbers: int, error: type[BaseException]) -> Callable[[str], None]:
    count = 0

    def before(question: str) -> None:
        nonlocal count
        count += 1
        if count in numbers:
            raise error("The model stopped.")

    return before


def without_cost(path: Path) -> dict[str, object]:
    scores = json.loads(path.read_text())
    del scores["cost"]
    return dict(scores)


def rows_without_cost(out: Path) -> list[Row]:
    return [replace(row, total_s=None, memory_mb=None) for row in read_run(out / "run.jsonl")]


def test_every_question_has_its_row_and_the_scores_their_file(library: Library, tmp_path: Path) -> None:
    scores = evaluate(GOLDS, FirstSentence(library), library, tmp_path / "out")
    rows = read_run(tmp_path / "out" / "run.jsonl")
    assert [row.id for row in rows] == [gold.id for gold in GOLDS]
    assert rows[0].retrieved[0] == "museum"
    assert len(set(rows[0].retrieved)) == len(rows[0].retrieved)
    assert rows[0].quotes[0].text == CORPUS["museum"][:40]
    assert (rows[0].prompt_tokens, rows[0].total_s) == (100, 0.2)
    assert scores.figures["quotes_verbatim"].value == 1.0
    assert scores.figures["refused_unanswerable"].value == 0.0
    assert without_cost(tmp_path / "out" / "scores.json")["settings"] == scores.settings
    assert scores.settings["model"] == "first sentence"


@pytest.mark.parametrize("at", [1, 3, 6])
def test_an_interrupted_run_goes_on_and_scores_the_same(library: Library, tmp_path: Path, at: int) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    evaluate(GOLDS, FirstSentence(library), library, whole)
    interrupted = FirstSentence(library, failing_at(at, error=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        evaluate(GOLDS, interrupted, library, parts)
    assert not (parts / "scores.json").exists()
    resumed = FirstSentence(library)
    evaluate(GOLDS, resumed, library, parts)
    assert len(interrupted.asked) + len(resumed.asked) == len(GOLDS)
    assert without_cost(parts / "scores.json") == without_cost(whole / "scores.json")
    assert rows_without_cost(parts) == rows_without_cost(whole)


def test_a_torn_last_line_is_asked_again(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS, FirstSentence(library), library, out)
    whole = rows_without_cost(out)
    (out / "run.jsonl").write_bytes((out / "run.jsonl").read_bytes()[:-20])
    again = FirstSentence(library)
    evaluate(GOLDS, again, library, out)
    assert [question for question, _ in again.asked] == [GOLDS[-1].question]
    assert rows_without_cost(out) == whole


def test_a_finished_run_asks_nothing_and_fresh_asks_everything(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS, FirstSentence(library), library, out)
    before = (out / "scores.json").read_bytes()
    second, third = FirstSentence(library), FirstSentence(library)
    evaluate(GOLDS, second, library, out)
    assert second.asked == []
    assert (out / "scores.json").read_bytes() == before
    evaluate(GOLDS, third, library, out, fresh=True)
    assert len(third.asked) == len(GOLDS)


def test_other_settings_are_refused_and_nothing_is_touched(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS, FirstSentence(library), library, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(BadRun, match="differs in: model"):
        evaluate(GOLDS, FirstSentence(library), library, out, settings={"model": "another"})
    with pytest.raises(BadRun, match="retrieval_only"):
        evaluate(GOLDS, None, library, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_another_library_is_refused(library: Library, tmp_path: Path, fake_embedder: Embedder) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS, FirstSentence(library), library, out)
    longer = CORPUS | {"harbour": "Ships leave the harbour at six."}
    corpus = write_corpus(tmp_path / "longer.jsonl", longer)
    with (
        library_for(corpus, tmp_path / "cache", fake_embedder) as other,
        pytest.raises(BadRun, match="differs in: library"),
    ):
        evaluate(GOLDS, FirstSentence(other), other, out)


def test_rows_of_unknown_settings_are_refused(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS, FirstSentence(library), library, out)
    (out / "run.json").write_text("{")
    with pytest.raises(BadRun, match="differs in: code, "):
        evaluate(GOLDS, FirstSentence(library), library, out)


def test_a_failed_question_counts_as_wrong_and_is_asked_again_next_time(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    failing = FirstSentence(library, failing_at(1, 3, error=GenerationFailed))
    scores = evaluate(GOLDS, failing, library, out)
    row = read_run(out / "run.jsonl")[0]
    assert (row.error, row.answer, row.abstained) == ("The model stopped.", "", False)
    assert scores.questions["failed"] == 2
    again = FirstSentence(library)
    mended = evaluate(GOLDS, again, library, out)
    assert [question for question, _ in again.asked] == [GOLDS[0].question, GOLDS[2].question]
    assert mended.questions["failed"] == 0
    assert mended.figures["right"].value > scores.figures["right"].value  # type: ignore[operator]


def test_five_failures_in_a_row_stop_the_run(library: Library, tmp_path: Path) -> None:
    always = FirstSentence(library, failing_at(*range(1, 99), error=GenerationFailed))
    with pytest.raises(GenerationFailed, match="The model stopped"):
        evaluate(GOLDS, always, library, tmp_path / "out")
    assert not (tmp_path / "out" / "scores.json").exists()
    scattered = FirstSentence(library, failing_at(1, 2, 3, 4, 6, error=GenerationFailed))
    assert evaluate(GOLDS, scattered, library, tmp_path / "out").questions["failed"] == 5


def test_what_failed_before_may_fail_again_without_stopping_the_run(library: Library, tmp_path: Path) -> None:
    golds = [replace(GOLDS[0], id=f"q{n}") for n in range(20)]
    out = tmp_path / "out"
    evaluate(golds, FirstSentence(library, failing_at(*range(1, 21, 3), error=GenerationFailed)), library, out)
    again = FirstSentence(library, failing_at(*range(1, 21), error=GenerationFailed))
    assert evaluate(golds, again, library, out).questions["failed"] == 7
    assert len(again.asked) == 0


def test_a_question_that_cannot_be_asked_does_not_count_as_a_dead_model(library: Library, tmp_path: Path) -> None:
    always = FirstSentence(library, failing_at(*range(1, 99), error=BadQuestion))
    assert evaluate(GOLDS, always, library, tmp_path / "out").questions["failed"] == len(GOLDS)


def test_reports_of_an_earlier_run_do_not_stay(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS, FirstSentence(library), library, out)
    (out / "junit.xml").write_text("yesterday's")
    with pytest.raises(KeyboardInterrupt):
        evaluate(GOLDS, FirstSentence(library, failing_at(2, error=KeyboardInterrupt)), library, out, fresh=True)
    assert not (out / "junit.xml").exists()


def test_a_run_killed_before_its_first_row_goes_on(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.jsonl").touch()
    assert evaluate(GOLDS, FirstSentence(library), library, out).questions["failed"] == 0


def test_a_cache_that_cannot_be_written_costs_only_time(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with Cache(path) as cache:
        path.chmod(0o444)
        cache._connection.execute("PRAGMA query_only = ON")
        assert evaluate(GOLDS, FirstSentence(library), library, tmp_path / "out", cache=cache).questions["failed"] == 0
        assert cache.get("nothing") is None


def test_earlier_turns_reach_the_answerer(library: Library, tmp_path: Path) -> None:
    turns = [Turn("user", "Who runs the library?"), Turn("agent", "Bruno Neri.")]
    gold = Gold("follow", "And the museum?", ("Ada Conti",), ("museum",), True, meta={"history": turns})
    answerer = FirstSentence(library)
    evaluate([gold], answerer, library, tmp_path / "out")
    assert answerer.asked == [("And the museum?", turns)]


def test_retrieval_alone_needs_no_answerer(library: Library, tmp_path: Path) -> None:
    scores = evaluate(GOLDS, None, library, tmp_path / "out", k=2)
    assert {"hit@1", "hit@5", "mrr"} < set(scores.figures)
    assert not {"right", "token_f1", "needless_refusals"} & set(scores.figures)
    assert scores.figures["hit@10"].n == 5
    rows = read_run(tmp_path / "out" / "run.jsonl")
    assert all(len(row.retrieved) == len(set(row.retrieved)) <= 2 for row in rows)
    assert rows[0].retrieved[0] == "museum"


def test_progress_runs_from_what_is_done_to_the_end(library: Library, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    evaluate(GOLDS, FirstSentence(library), library, tmp_path / "out", on_progress=lambda *step: seen.append(step))
    assert seen == [(done, 6) for done in range(7)]


def test_pairs_of_other_documents_are_refused() -> None:
    gold = Gold("q", "Who?", ("Ada",), ("museum.md",), True)
    with pytest.raises(BadGold, match=r"none of the documents.*'museum\.md'"):
        check_relevant([gold], CORPUS)
    check_relevant(GOLDS, CORPUS)


def test_corrected_and_further_pairs_go_on_in_the_same_folder(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS[:4], FirstSentence(library), library, out)
    other_words = replace(GOLDS[1], question="Who runs the library?")
    other_answer = replace(GOLDS[2], answers=("a lot",))
    again = FirstSentence(library)
    outcome = outcome_of([GOLDS[0], other_words, other_answer, *GOLDS[3:]], again, library, out)
    assert [question for question, _ in again.asked] == ["Who runs the library?", *(g.question for g in GOLDS[4:])]
    assert (outcome.reused, outcome.scores.questions["asked"]) == (3, 6)


def test_answers_that_nobody_asks_for_any_more_are_not_thrown_away(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS, FirstSentence(library), library, out)
    before = (out / "run.jsonl").read_bytes()
    with pytest.raises(BadRun, match="answers to 4 questions that are not asked now, such as 'cost'"):
        evaluate(GOLDS[:2], FirstSentence(library), library, out)
    assert (out / "run.jsonl").read_bytes() == before


def test_the_same_question_of_the_same_system_is_asked_once(library: Library, tmp_path: Path) -> None:
    with Cache(tmp_path / "cache.sqlite") as cache:
        evaluate(GOLDS[:3], FirstSentence(library), library, tmp_path / "first", cache=cache)
        second = FirstSentence(library)
        outcome = outcome_of(GOLDS, second, library, tmp_path / "second", cache=cache)
        assert [question for question, _ in second.asked] == [gold.question for gold in GOLDS[3:]]
        assert outcome.reused == 3
        other = FirstSentence(library)
        evaluate(GOLDS, other, library, tmp_path / "third", cache=cache, settings={"model": "another"})
        anew = FirstSentence(library)
        evaluate(GOLDS, anew, library, tmp_path / "second", cache=cache, fresh=True)
        assert len(other.asked) == len(anew.asked) == len(GOLDS)
        fewer = evaluate(GOLDS[:2], FirstSentence(library), library, tmp_path / "second", cache=cache)
        assert fewer.questions["asked"] == 2  # the others are still in the cache


def test_a_folder_in_use_is_refused(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def start_another(question: str) -> None:
        with pytest.raises(BadRun, match="Another evaluation"):
            evaluate(GOLDS, FirstSentence(library), library, out)

    assert evaluate(GOLDS, FirstSentence(library, start_another), library, out).questions["failed"] == 0


def test_a_file_in_the_place_of_the_folder_is_refused(library: Library, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for out in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(BadRun, match="choose a folder"):
            evaluate(GOLDS, FirstSentence(library), library, out)
    assert (tmp_path / "out").read_text() == "mine"


def test_a_damaged_row_is_reported_and_kept(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(GOLDS, FirstSentence(library), library, out)
    (out / "run.jsonl").write_text("not a row\n" + (out / "run.jsonl").read_text())
    before = (out / "run.jsonl").read_bytes()
    with pytest.raises(BadRun, match="line 1"):
        evaluate(GOLDS, FirstSentence(library), library, out)
    assert (out / "run.jsonl").read_bytes() == before


def test_a_kill_while_the_library_is_made_is_made_good(tmp_path: Path, fake_embedder: Embedder) -> None:
    corpus, cache = write_corpus(tmp_path / "corpus.jsonl"), tmp_path / "cache"

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library_for(corpus, cache, fake_embedder, on_progress=stop)
    with library_for(corpus, cache, fake_embedder) as library:
        assert {row.id for row in library.documents()} == set(CORPUS)


def test_library_of_a_corpus_is_built_once(tmp_path: Path, fake_embedder: Embedder) -> None:
    corpus, cache = write_corpus(tmp_path / "corpus.jsonl"), tmp_path / "cache"
    embedded: list[Progress] = []
    with library_for(corpus, cache, fake_embedder, on_progress=embedded.append) as first:
        fingerprint = first.fingerprint
    assert embedded
    embedded.clear()
    moved = corpus.rename(tmp_path / "moved.jsonl")
    with library_for(moved, cache, fake_embedder, on_progress=embedded.append) as second:
        assert second.fingerprint == fingerprint
    assert not embedded


def test_a_changed_corpus_gets_a_library_of_its_own(tmp_path: Path, fake_embedder: Embedder) -> None:
    for texts in (CORPUS, {**CORPUS, "garden": "Gone."}, {"museum": CORPUS["museum"]}):
        corpus = write_corpus(tmp_path / "corpus.jsonl", texts)
        with library_for(corpus, tmp_path / "cache", fake_embedder) as library:
            assert {row.id for row in library.documents()} == set(texts)
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_library_of_a_folder_of_documents(tmp_path: Path, fake_embedder: Embedder) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in CORPUS.items():
        (folder / f"{name}.md").write_text(text)
    with library_for(folder, tmp_path / "cache", fake_embedder) as library:
        assert library.search("Who runs the city library?", k=1)[0].document.id == "library.md"


def test_a_corpus_that_is_missing_or_spoilt_is_refused(tmp_path: Path, fake_embedder: Embedder) -> None:
    with pytest.raises(FonteError, match=r"nowhere\.jsonl"):
        library_for(tmp_path / "nowhere.jsonl", tmp_path / "cache", fake_embedder)
    spoilt = write_corpus(tmp_path / "spoilt.jsonl")
    spoilt.write_text(spoilt.read_text() + "{not json\n")
    with pytest.raises(FonteError, match=r"spoilt\.jsonl"):
        library_for(spoilt, tmp_path / "cache", fake_embedder)
