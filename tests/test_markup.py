"""Answers and passages as HTML: what is escaped, marked and linked."""

from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from scripted import DUTIES, ENGLISH, GUIDA, LEAD, PASSAGES, answered, cite, leads, passage, refused

from rag.types import Claim
from ui import markup
from ui.words import WORDS

EN = WORDS["en"]
OURS = {"a", "article", "aside", "b", "blockquote", "details", "div", "h2", "h3", "i", "li", "mark", "ol", "p"}
OURS |= {"section", "small", "span", "summary"}
HARMLESS = {"aria-label", "class", "data-quote", "dir", "href", "id", "lang", "role", "tabindex", "title"}


class Reader(HTMLParser):
    """Collects tags, attributes and the text of every mark."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.marks: list[str] = []
        self.text = ""
        self._in_mark = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in_mark = tag == "mark"
        if self._in_mark:
            self.marks.append("")

    def handle_endtag(self, tag):
        self._in_mark = self._in_mark and tag != "mark"

    def handle_data(self, data):
        self.text += data
        if self._in_mark:
            self.marks[-1] += data


def test_the_marked_text_is_the_quote():
    assert Reader(markup.cited_html(leads(), 1, EN)).marks == [GUIDA, LEAD, DUTIES]


def test_quotes_of_one_passage_share_an_excerpt_without_repeating_its_words():
    html = markup.cited_html(leads(), 1, EN)
    assert html.count("<blockquote") == 2
    assert Reader(html).text.count("The board did not wait.") == 1


def test_overlapping_quotes_each_have_their_own_excerpt():
    longer = f"{LEAD} {DUTIES}"
    answer = answered("Q?", Claim("Yes.", (1, 2), "supported"), citations=[cite(1, longer), cite(2, DUTIES)])
    assert Reader(markup.cited_html(answer, 1, EN)).marks == [longer, DUTIES]


def test_a_quote_far_into_a_document_has_only_some_words_around_it():
    text = "word " * 200 + "The exact words." + " more" * 200
    far = passage(text, 1)
    answer = answered(
        "Q?", Claim("Yes.", (1,), "supported"), citations=[cite(1, "The exact words.", [far])], passages=[far]
    )
    shown = Reader(markup.cited_html(answer, 1, EN)).text
    assert len(shown) < 500
    assert "… word" in shown
    assert "more …" in shown


def test_every_marker_leads_to_a_quote_and_invented_ones_are_left_out():
    answer = answered("Q?", Claim("Yes.", (1, 7), "supported"), citations=[cite(1, GUIDA)])
    html = markup.answer_html(answer, 4, EN)
    links = [attrs["href"] for tag, attrs in Reader(html).tags if tag == "a"]
    assert links == ["#quote-4-1"]
    assert 'id="quote-4-1"' in markup.cited_html(answer, 4, EN)


def test_support_that_falls_short_has_a_sign_and_full_support_has_none():
    answer = answered(
        "Q?",
        Claim("Full.", (1,), "supported"),
        Claim("Half.", (1,), "partly"),
        Claim("None.", (), "unsupported"),
        citations=[cite(1, GUIDA)],
    )
    html = markup.answer_html(answer, 1, EN)
    assert html.count('class="sign') == 2
    assert EN["partly"] in html
    assert EN["unsupported"] in html


def test_a_marker_cut_in_two_is_not_shown_half():
    assert "[" not in markup.pieces_html("So it is [1")
    assert '<span class="marker">1</span>' in markup.pieces_html("So it is [1].")


def test_text_without_claims_is_shown_all_the_same():
    bare = replace(answered("Q?", citations=[]), text="Just words [3].")
    assert "Just words" in markup.answer_html(bare, 1, EN)


def test_a_refusal_is_a_box_that_says_what_is_not_there_and_what_may_help():
    html = markup.answer_html(refused("Q?", reason="no passage is near"), 1, EN)
    assert "The documents do not say what they earn." in html
    assert EN["refused_help"] in html
    assert 'title="no passage is near"' in html
    assert EN["refused"] in markup.answer_html(refused("Q?", text=""), 1, EN)


def test_timings_are_written_as_the_language_writes_numbers():
    assert "1.9 s to the first word, 4.2 s in all" in markup.timings_html(leads().timings, EN)
    assert "1,9 s alla prima parola" in markup.timings_html(leads().timings, WORDS["it"])
    assert markup.timings_html({}, EN) == ""


def test_where_the_model_was_not_asked_there_is_no_first_word():
    assert markup.timings_html({"first_token_s": 0.0, "total_s": 0.3}, EN) == '<p class="timings">0.3 s in all</p>'


def test_a_passage_shows_document_date_language_page_and_rank():
    shown = Reader(markup.passages_html(PASSAGES, EN)).text
    for part in ("Two share the top job", "en/leads.pdf", "The Ledger", "2024-03-23", "EN", "p. 1"):
        assert part in shown
    assert [attrs["title"] for _, attrs in Reader(markup.passages_html(PASSAGES, EN)).tags if "title" in attrs]


def test_a_document_without_a_title_is_called_by_its_id():
    assert Reader(markup.passages_html(PASSAGES[2:], EN)).text.count("en/models.txt") == 1


@given(st.text(alphabet=st.sampled_from("<>&\"'=/!-[]()`{}$ abonerscript:\r\n\x00\u202e"), min_size=1, max_size=40))
def test_whatever_is_written_only_our_own_tags_come_out(text):
    bad = passage(f"{text}{ENGLISH}", 1, id=text, title=text, outlet=text, published=text, language=text, source=text)
    claim = Claim(text, (1,), "partly")
    answer = answered(text, claim, citations=[cite(1, f"{text}{ENGLISH}", [bad])], passages=[bad])
    forms = (
        markup.question_html(text, 1),
        markup.pieces_html(text),
        markup.note_html(text),
        markup.passages_html([bad], EN),
        markup.answer_html(answer, 1, EN),
        markup.cited_html(answer, 1, EN),
        markup.answer_html(refused(text, text, text + "."), 1, EN),
    )
    for html in forms:
        for tag, attrs in Reader(html).tags:
            assert tag in OURS
            assert attrs.keys() <= HARMLESS
            assert attrs.get("href", "#").startswith("#")
