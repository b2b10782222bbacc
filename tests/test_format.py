"""Answers as text for the terminal and as JSON, and their words."""

import json
from dataclasses import replace

from scripted import GUIDA, PASSAGES, answered, cite, leads, passage, refused

from rag.types import Claim
from ui.format import answer_json, answer_text, passages_json, passages_text, quotes_text, visible
from ui.words import WORDS, words_for


def test_json_has_the_fields_of_the_border_format():
    shown = json.loads(json.dumps(answer_json(leads())))
    assert list(shown) == [
        "question", "answer", "abstained", "reason", "language", "citations", "passages", "timings", "receipt",
    ]  # fmt: skip
    assert list(shown["citations"][1]) == [
        "marker", "document", "title", "source", "published", "page", "start", "end", "quote", "support",
    ]  # fmt: skip
    assert shown["citations"][1]["page"] == 1
    assert shown["citations"][0]["page"] is None
    assert list(shown["timings"]) == ["retrieve_s", "first_token_s", "total_s", "prompt_tokens", "output_tokens"]
    assert shown["receipt"] == {"model": "fake"}


def test_json_quotes_are_found_at_their_offsets():
    texts = {p.document.id: p.document.text for p in PASSAGES}
    for citation in answer_json(leads())["citations"]:
        assert texts[citation["document"]][citation["start"] : citation["end"]] == citation["quote"]


def test_a_timing_that_was_not_measured_is_null():
    answer = answered("Who?", Claim("They.", (1,), "supported"), citations=[cite(1, GUIDA)])
    assert set(answer_json(replace(answer, timings={}))["timings"].values()) == {None}


def test_search_json_keeps_the_order_and_the_offsets():
    shown = passages_json("Who?", PASSAGES)
    assert [p["rank"] for p in shown["passages"]] == [1, 2, 3]
    assert all(p["end"] - p["start"] == len(p["text"]) for p in shown["passages"])


def test_control_and_direction_characters_are_spelt_out():
    hostile = "a\x1b]8;;http://x\x07b\rc\x9bd\u202ee\u2066"
    shown = visible(hostile)
    assert shown == "a\\x1b]8;;http://x\\x07b\\x0dc\\x9bd\\x202ee\\x2066"
    assert visible("line\r\n\tnext") == "line\n\tnext"


def test_terminal_forms_hold_no_raw_escape():
    bad = passage("One \x1b[31mred\x1b[0m sentence.", 1, id="\x1b[2J.txt", title="\x1b]0;owned\x07")
    quote = "One \x1b[31mred\x1b[0m sentence."
    answer = answered(
        "Q?", Claim("It is \x1b[5mred.", (1,), "partly"), citations=[cite(1, quote, [bad])], passages=[bad]
    )
    for text in (answer_text(answer), quotes_text(answer), passages_text([bad])):
        assert "\x1b" not in text.plain
        assert "\x07" not in text.plain


def test_terminal_answer_has_markers_and_a_sign_where_support_falls_short():
    answer = answered(
        "Q?",
        Claim("First.", (1, 9), "supported"),
        Claim("Second.", (), "unsupported"),
        citations=[cite(1, GUIDA)],
    )
    assert answer_text(answer).plain == "First. [1] Second. (no quote supports this)"


def test_terminal_answer_keeps_the_models_lines():
    answer = answered("Q?", Claim("First.", (), "supported"), Claim("Second.", (), "supported"), citations=[])
    assert answer_text(replace(answer, text="First.\n\nSecond.")).plain == "First.\nSecond."


def test_quotes_name_document_date_and_place():
    lines = quotes_text(leads()).plain.splitlines()
    start, end = leads().citations[1].start, leads().citations[1].end
    assert lines[2] == (
        f"[2] Two share the top job · en/leads.pdf · The Ledger · 2024-03-23 · EN · p. 1 · characters {start} to {end}"
    )
    assert lines[3].strip() == f"“{leads().citations[1].quote}”"


def test_a_refusal_shows_the_nearest_passages():
    assert answer_text(refused("Q?")).plain == "The documents do not say what they earn."
    assert "Due dirigenti alla guida" in quotes_text(refused("Q?")).plain


def test_both_languages_have_the_same_words_and_places():
    english, italian = WORDS["en"], WORDS["it"]
    assert english.keys() == italian.keys()
    for name, text in english.items():
        values = dict.fromkeys(("n", "title", "first", "total", "start", "end", "score"), "@")
        assert text.format(**values).count("@") == italian[name].format(**values).count("@"), name


def test_the_first_language_that_is_known_is_chosen():
    assert words_for("it-IT,it;q=0.9,en;q=0.8")["ask"] == "Chiedi"
    assert words_for("en;q=0.5, it;q=0.8")["ask"] == "Chiedi"
    assert words_for("de-DE, de;q=0.9")["ask"] == "Ask"
    assert words_for("it;q=0, en")["ask"] == "Ask"
    assert words_for(";;,q=,it;q=nonsense")["ask"] == "Chiedi"
    assert words_for("")["ask"] == "Ask"
