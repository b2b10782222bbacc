"""The report as one page: what it shows, also without network or scripts, and that nothing hostile in it acts."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lxml import html as parser

from eval.compare import compare
from eval.data import Found, Gold, Quote, Row
from eval.gate import Result, Verdict
from eval.measures.cost import Cost
from eval.measures.interval import Figure
from eval.report import html
from eval.report.plots import difference_plot, plots
from eval.report.questions import passages_json
from eval.results import Scored, Scores

CHROMIUM = next((p for p in ("/usr/bin/chromium", shutil.which("chromium")) if p and Path(p).exists()), None)
TEXTS = {"a.md": "Ada Conti runs the 🏛 museum. It opened in 1974.", "b.md": "The roof cost nothing."}
HOSTILE = (
    "</script><script>window.hit=1</script><img src=x onerror='window.hit=1'>\" onclick=\"x javascript:hit \u202e\x00"
)
MODEL = "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e"
SCORES = Scores(
    settings={"model": "tiny", "model_sha256": MODEL, "passages": 8},
    questions={"asked": 4, "answerable": 3, "unanswerable": 1, "failed": 1},
    figures={
        "right": Figure(0.333333, 3, 0.0, 1.0),
        "needless_refusals": Figure(0.0, 3, 0.0, 0.708),
        "aurc": Figure(0.25, 2, 0.0, 0.5),
        "calibration_error": Figure(0.1, 2, 0.0, 0.5),
        "hit@1": Figure(0.5, 2, 0.0, 1.0),
        "hit@5": Figure(1.0, 2, 0.158, 1.0),
    },
    slices={
        "language": {"en": {"right": Figure(0.5, 2, 0.0, 1.0)}, "it": {"right": Figure(0.0, 1, 0.0, 0.975)}},
        "document": {},
    },
    curves={
        "hit": [(1, 0.5), (2, 1.0)],
        "risk_coverage": [(0.5, 0.0), (1.0, 0.5)],
        "reliability": [(0.4, 0.0), (0.9, 1.0)],
    },
    cost={"total_s": Cost(1.5, 2.0, 3)},
)


def question(
    id: str, parts: Mapping[str, float], *, answerable: bool = True, language: str = "en", **row: Any
) -> Scored:
    gold = Gold(id, f"Who is {id}?", ("Ada Conti",) if answerable else (), ("a.md",) if answerable else (), answerable)
    gold = replace(gold, language=language, kind="factoid")
    return Scored(gold, Row(id, **row), {name: (value, 1) for name, value in parts.items()})


RIGHT = question(
    "right",
    {"right": 1, "token_f1": 0.5},
    answer="Ada Conti runs\nthe museum [1].",
    retrieved=("b.md", "a.md"),
    quotes=(Quote("a.md", 0, 27, TEXTS["a.md"][:27], 0.93), Quote("b.md", 0, 8, "The door", None)),
    passages=(Found("b.md", 0, 22), Found("a.md", 4, 28), Found("gone.md", 0, 9)),
    first_token_s=0.5,
    total_s=1.5,
    confidence=0.9,
)
WRONG = question("wrong", {"right": 0, "token_f1": 0.1}, language="it", answer="Nobody.", total_s=2.0)
FAILED = question("failed", {"right": 0}, error="The model stopped.")
INVENTED = question("invented", {"refused_unanswerable": 0}, answerable=False, answer="Bob.", total_s=1.0)
EVERY = [RIGHT, WRONG, INVENTED, FAILED]


def page(scored: list[Scored] = EVERY, scores: Scores = SCORES, **options: Any) -> str:
    return html(scores, scored, TEXTS.get, **({"name": "nightly"} | options))


def parsed(text: str) -> Any:
    return parser.document_fromstring(text)


def words(element: Any) -> str:
    return " ".join(" ".join(element.itertext()).split())


def row(tree: Any, label: str) -> str:
    return next(words(found) for found in tree.iter("tr") if words(found).startswith(label))


def hostile() -> str:
    gold = replace(RIGHT.gold, id=HOSTILE, question=HOSTILE, answers=(HOSTILE,), relevant=(HOSTILE,), kind=HOSTILE)
    gold = replace(gold, language=HOSTILE, meta={"history": [{"speaker": HOSTILE, "text": HOSTILE}]})  # type: ignore[list-item]
    answered = replace(RIGHT.row, answer=HOSTILE, retrieved=(HOSTILE,), quotes=(Quote(HOSTILE, 0, 5, HOSTILE),))
    answered = replace(answered, passages=(Found(HOSTILE, text=HOSTILE), Found("a.md", 0, 27)))
    slices = {"kind": {HOSTILE: SCORES.slices["language"]["en"], "x": SCORES.slices["language"]["it"]}}
    before = [replace(RIGHT, gold=gold, parts={"right": (0.0, 1)}, row=replace(answered, error=HOSTILE))]
    scored = [Scored(gold, answered, RIGHT.parts)]
    return html(
        replace(SCORES, settings={HOSTILE: HOSTILE, "model": [HOSTILE]}, slices=slices),
        scored,
        {HOSTILE: HOSTILE}.get,
        name=HOSTILE,
        comparison=compare(before, scored),
        against=HOSTILE,
        settings={HOSTILE: (HOSTILE, [HOSTILE + MODEL])},
        verdict=Verdict((Result(HOSTILE, False, HOSTILE, None, 0),)),
    )


# What it shows


def test_figures_have_their_n_and_interval() -> None:
    tree = parsed(page())
    assert row(tree, "right (holds") == "right (holds an accepted answer) 33.3 % 3 0.0 % to 100.0 %"
    assert row(tree, "total, s") == "total, s 1.50 2.00 3"
    assert row(tree, "it") == "it 0 % (1)"
    assert "4 questions: 3 answerable, 1 unanswerable, 1 failed (counted as wrong)" in words(tree)


def test_bars_are_drawn_to_scale() -> None:
    bar = parsed(page()).xpath("//tr[th[starts-with(normalize-space(), 'needless')]]//*[@class='bar']")[0]
    interval, value = bar.find("line[@class='interval']"), bar.find("circle")
    assert (interval.get("x1"), interval.get("x2"), value.get("cx")) == ("0.00%", "70.80%", "0.00%")


def test_hashes_are_abridged_and_kept_whole_in_their_title() -> None:
    (value,) = parsed(page()).xpath(f"//dd[@title='{MODEL}']")
    assert value.text_content() == MODEL[:10] + "…"


def test_date_and_name_are_shown_and_without_a_date_there_is_none() -> None:
    tree = parsed(page(date=date(2026, 11, 23)))
    assert words(tree.find(".//h1")) == "nightly"
    assert words(tree.find(".//time")) == "2026-11-23"
    assert parsed(page()).find(".//time") is None


def test_gate_is_told_requirement_by_requirement() -> None:
    verdict = Verdict((Result("right at least 60 %", False, "right is 33.3 % (n 3)", 0.33, 3),))
    (gate,) = parsed(page(verdict=verdict)).find_class("gate")
    assert words(gate) == "Not met: requirements that hold: 0 of 1 ✗ right at least 60 % right is 33.3 % (n 3)"
    assert parsed(page()).find_class("gate") == []


def test_comparison_shows_differences_and_both_answers() -> None:
    before = [replace(RIGHT, parts={"right": (0.0, 1)}, row=replace(RIGHT.row, answer="No idea."))]
    tree = parsed(page(comparison=compare(before, [RIGHT]), against="last week"))
    assert words(tree.get_element_by_id("comparison")) == "Compared with last week"
    (table,) = [found for found in tree.find_class("compared") if found.find(".//th").text == "measure"]
    assert row(table, "right").startswith("right (holds an accepted answer) 0.0 % 100.0 % +100.0")
    (pair,) = tree.find_class("pair")
    assert words(pair) == "Who is right? last week: 0 % No idea. nightly: 100 % Ada Conti runs the museum [1]."


def test_comparison_shows_the_settings_that_differ() -> None:
    settings = {"model_sha256": (MODEL, "f" * 64), "measured_with": (None, {"judge": "tiny"})}
    tree = parsed(page(comparison=compare([RIGHT], [RIGHT]), settings=settings))
    assert row(tree, "model_sha256") == f"model_sha256 {MODEL[:10]}… ffffffffff…"
    assert tree.xpath(f"//table[@class='changed']//span[@title='{MODEL}']")
    assert row(tree, "measured_with") == 'measured_with - {"judge": "tiny"}'
    assert not parsed(page(comparison=compare([RIGHT], [RIGHT]))).find_class("changed")


def test_what_has_no_value_shows_its_n_and_no_bar() -> None:
    figures = {**SCORES.figures, "aurc": Figure(None, 4, None, None)}
    slices = {"kind": {"a": {"right": Figure(0.5, 2, None, None)}, "b": {"hit@5": Figure(1.0, 1, 0.025, 1.0)}}}
    tree = parsed(page(scores=replace(SCORES, figures=figures, slices=slices)))
    assert row(tree, "area under") == "area under risk-coverage ↓ - 4 -"
    assert row(tree, "a ") == "a 50 % (2) - (0)"
    assert row(tree, "b ") == "b - (0) 100 % (1)"


def test_questions_come_worst_first() -> None:
    found = parsed(page()).find_class("question")
    assert [each.get("data-outcome") for each in found] == ["failed", "wrong", "invented", "right"]
    assert words(found[0].find("summary")) == "failed Who is failed? The model stopped. en factoid"
    assert words(found[3].find("summary")) == ("right Who is right? Ada Conti runs the museum [1]. en factoid F1 0.50")


def test_without_scripts_answers_accepted_answers_and_quotes_can_be_read() -> None:
    tree = parsed(page([RIGHT]))
    (body,) = tree.find_class("said")
    assert body.find_class("answer")[0].text_content() == "Ada Conti runs\nthe museum 1."
    assert words(body.find_class("accepted")[0]) == "Ada Conti"
    told = [words(quote) for quote in body.iter("blockquote")]
    assert told == [
        "Ada Conti runs the 🏛 museum a.md characters 0 to 27 verbatim relevant support 0.93",
        "The door b.md characters 0 to 8 not verbatim not relevant",
    ]
    assert words(tree.find_class("documents")[0]) == "b.md a.md relevant"
    assert [each.get("open") for each in tree.iter("details")] == [None] * len(list(tree.iter("details")))
    assert tree.get_element_by_id("filters").get("hidden") is not None  # they would do nothing


def test_a_quote_of_an_unknown_document_is_not_called_false() -> None:
    lost = replace(RIGHT, row=replace(RIGHT.row, quotes=(Quote("gone.md", 0, 3, "Ada"),)))
    assert "document not at hand" in words(parsed(page([lost])).find_class("said")[0])


def test_a_relevant_document_that_was_not_found_is_named() -> None:
    missed = replace(RIGHT, row=replace(RIGHT.row, retrieved=("b.md",)))
    (found,) = parsed(page([missed])).find_class("found")
    assert "Relevant, not found a.md" in words(found)


def test_report_of_a_search_alone() -> None:
    searched = question("x", {"hit@1": 0, "mrr": 0.5}, retrieved=("b.md", "a.md"))
    figures = {"hit@1": Figure(0.0, 1, 0.0, 0.975), "mrr": Figure(0.5, 1, 0.5, 0.5)}
    bare = Scores({}, {"asked": 1, "answerable": 1, "unanswerable": 0, "failed": 0}, figures, {}, {}, {})
    tree = parsed(page([searched], bare))
    assert words(tree.find_class("question")[0].find("summary")) == "not judged Who is x? (no answer) en factoid"
    assert tree.find_class("plot") == []


# Curves


def test_there_is_a_curve_for_whatever_has_points() -> None:
    assert [plot.name for plot in plots(SCORES, EVERY)] == ["hit", "risk-coverage", "reliability", "latency"]
    assert plots(replace(SCORES, curves={}), [FAILED]) == []


def test_curves_are_described_and_keep_their_text() -> None:
    hit, risk, _, latency = (parsed(plot.svg).find(".//svg") for plot in plots(SCORES, EVERY))
    assert risk.find("title").text == "Risk and coverage"
    assert risk.find("desc").text.endswith("(n 2). Area under the curve 0.250 (0.000 to 0.500).")
    assert "k, documents looked at" in words(hit)
    assert "Median: first token 0.50 s (n 1), total 1.50 s (n 3)." in latency.find("desc").text


def test_curves_take_their_colours_from_the_page_and_leave_it_alone() -> None:
    for plot in [*plots(SCORES, EVERY), difference_plot(changed(40, right=(0, 1)))]:
        assert plot is not None
        assert "var(--accent)" in plot.svg
        assert not re.search(r"<style|style=|#0[1-6]0[2-7]|<script", plot.svg)
    tree = parsed(page(comparison=compare([RIGHT], [RIGHT])))
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    used = [found.get("href").removeprefix("#") for found in tree.iter("use")]
    assert used
    assert set(used) <= set(ids)


def changed(count: int, **parts: tuple[float, float]) -> Any:
    runs = [
        [question(f"q{n}", {name: (both[side] if n % 2 else 0) for name, both in parts.items()}) for n in range(count)]
        for side in (0, 1)
    ]
    return compare(*runs)


def test_a_plot_shows_the_change_in_each_main_measure() -> None:
    plot = difference_plot(changed(40, right=(0, 1), needless_refusals=(1, 0), token_f1=(0.2, 0.1), mrr=(0, 1)))
    assert plot is not None
    svg = parsed(plot.svg).find(".//svg")
    for told in ("right (n 40)", "F1 (n 40)", "needless ↓ (n 40)"):
        assert told in words(svg)
    assert "MRR" not in words(svg)  # not a main measure
    assert re.search(r"right \(n 40\) \+0\.500 \(\+0\.3\d\d to \+0\.6\d\d\); F1 \(n 40\) -0\.050 \(-", plot.caption)
    # Less right is bad, fewer refusals are good, and either may be chance.
    assert [colour in plot.svg for colour in ("var(--accent)", "var(--bad)")] == [True, True]
    chance = difference_plot(changed(3, right=(0, 1)))
    assert chance is not None
    assert "var(--accent)" not in chance.svg


def test_a_plot_of_differences_without_interval_or_of_another_measure_alone() -> None:
    one = difference_plot(changed(1, right=(0, 1)))
    assert one is not None
    assert "right (n 1) +0.000 (no interval)" in one.caption
    searched = difference_plot(changed(9, mrr=(0, 1)))
    assert searched is not None
    assert "MRR (n 9)" in searched.caption
    assert difference_plot(compare([question("a", {"mrr": 1})], [question("a", {"right": 1})])) is None


def test_the_plot_of_a_comparison_stands_in_the_page() -> None:
    comparison = changed(40, right=(0, 1))
    (figure,) = parsed(page(comparison=comparison)).xpath("//section[@aria-labelledby='comparison']//figure")
    assert words(figure.find("h3")) == "What changed"
    assert page(comparison=comparison) == page(comparison=comparison)


# Passages


def test_passages_share_their_texts_and_mark_the_quoted_words() -> None:
    found = passages_json([RIGHT, RIGHT], TEXTS.get)
    assert found["texts"] == ["The roof cost nothing.", "Conti runs the 🏛 museum."]
    one = [["b.md", 0, False, [(0, 8)]], ["a.md", 1, True, [(0, 23)]], ["gone.md", -1, False, []]]
    assert found["rows"] == [one, one]


@pytest.mark.parametrize(
    ("quotes", "spans"),
    [
        ((Quote("p", 0, 3), Quote("p", 2, 5), Quote("p", 7, 8)), [(0, 5), (7, 8)]),  # overlapping: one mark
        ((Quote("p", 5, 99),), [(5, 10)]),  # beyond the passage
        ((Quote("p", 20, 30), Quote("other", 0, 3)), []),
        ((Quote("p", text="cde"), Quote("p", text="nowhere"), Quote("p")), [(2, 5)]),  # no offsets: by their words
    ],
)
def test_spans_of_quotes(quotes: tuple[Quote, ...], spans: list[tuple[int, int]]) -> None:
    one = replace(RIGHT, row=Row("x", quotes=quotes, passages=(Found("p", 0, 10),)))
    rows: Any = passages_json([one], {"p": "abcdefghijkl"}.get)["rows"]
    assert rows[0][0][3] == spans


# Safety


def test_same_run_gives_the_same_bytes() -> None:
    assert page(date=date(2026, 11, 23)) == page(date=date(2026, 11, 23))


def test_policy_allows_the_page_its_own_style_and_script_alone() -> None:
    tree = parsed(page())
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for element in (tree.find(".//style"), tree.xpath("//script[not(@type)]")[0]):
        assert base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode() in policy


def test_nothing_leads_out_of_the_page() -> None:
    tree = parsed(page())
    assert tree.xpath("//link | //iframe | //img | //a | //@src | //@action") == []
    assert all(value.startswith("#") for value in tree.xpath("//@href"))


def test_hostile_words_stay_words() -> None:
    text = hostile()
    tree = parsed(text)
    assert len(list(tree.iter("script"))) == 2
    assert tree.xpath("//img | //@onerror | //@onclick") == []
    assert not re.search("[\x00\u202e]", text)
    assert tree.find(".//h1").text_content().startswith("</script><script>window.hit=1</script><img")
    texts = json.loads(tree.get_element_by_id("passages").text)["texts"]
    assert texts[0].startswith("</script><script>")


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    pages = []

    def show(text: str, **options: Any) -> Any:
        tab = browser.new_page(**options)
        pages.append(tab)
        tab.set_default_timeout(5000)
        tab.complaints, tab.asked = [], []
        tab.on("console", lambda message: tab.complaints.append(message.text))
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.on("request", lambda request: tab.asked.append(request.url))
        file = tmp_path / f"{len(pages)}.html"
        file.write_text(text, encoding="utf-8")
        tab.goto(file.as_uri())
        return tab

    yield show
    for tab in pages:
        tab.close()


in_browser = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]


class TestInBrowser:
    pytestmark = in_browser

    def test_opening_a_question_shows_its_passages_with_the_quoted_words_marked(self, opened: Any) -> None:
        tab = opened(page([RIGHT]))
        assert tab.locator(".passage").count() == 0
        tab.click(".question > summary")
        tab.wait_for_selector(".passage")
        assert tab.locator(".passage mark").all_text_contents() == ["The roof", "Conti runs the 🏛 museum"]
        signs = tab.locator(".passage small").all_text_contents()
        assert signs == ["quoted", "relevantquoted", ""]
        assert tab.locator(".passage").nth(2).text_content().endswith("The text is not at hand.")

    def test_filters_count_what_they_leave(self, opened: Any) -> None:
        tab = opened(page())
        assert tab.text_content("#count") == "4 of 4"
        tab.select_option("[name=language]", "en")
        assert tab.text_content("#count") == "3 of 4"
        tab.check("[name=outcome][value=invented]", force=True)
        assert tab.text_content("#count") == "1 of 4"
        assert tab.locator(".question:visible").all_text_contents()[0].count("Who is invented?") == 1
        tab.check("[name=outcome][value='']", force=True)
        tab.fill("[name=text]", "ADA museum")
        assert tab.text_content("#count") == "1 of 4"
        tab.fill("[name=text]", "nowhere")
        assert tab.text_content("#count") == "0 of 4"
        assert tab.locator("#empty").is_visible()

    def test_nothing_hostile_acts_and_nothing_is_asked_for(self, opened: Any) -> None:
        tab = opened(hostile())
        tab.click(".question > summary")
        tab.wait_for_selector(".passage")
        tab.fill("[name=text]", "<img")
        assert tab.text_content("#count") == "1 of 1"
        assert tab.evaluate("window.hit") is None
        assert tab.complaints == []
        assert [url for url in tab.asked if not url.startswith("file:")] == []

    def test_without_scripts_it_is_readable(self, opened: Any) -> None:
        tab = opened(page([RIGHT]), java_script_enabled=False)
        tab.click(".question > summary")
        assert tab.locator(".answer").is_visible()
        assert tab.locator("blockquote").count() == 2
        assert tab.locator("#filters").is_hidden()
        assert tab.locator(".found .note").is_visible()

    @pytest.mark.parametrize("width", [1440, 1024, 390])
    def test_it_fits_the_screen(self, opened: Any, width: int) -> None:
        comparison = compare([replace(RIGHT, parts={"right": (0.0, 1)})], [RIGHT])
        tab = opened(page(comparison=comparison), viewport={"width": width, "height": 800})
        tab.click(".question:last-child > summary")
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    def test_curves_and_bars_have_the_colours_of_the_scheme(self, opened: Any) -> None:
        colour = "getComputedStyle(document.querySelector('.plot [stroke=\"var(--accent)\"]')).stroke"
        light, dark = (opened(page(), color_scheme=scheme).evaluate(colour) for scheme in ("light", "dark"))
        assert (light, dark) == ("rgb(15, 107, 102)", "rgb(116, 201, 192)")
