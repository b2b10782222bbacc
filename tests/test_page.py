"""The page in a real browser, with a scripted asker: what is seen, what is linked, what never runs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from scripted import (
    DUTIES,
    GUIDA,
    LEAD,
    PASSAGES,
    ScriptedAsker,
    answered,
    cite,
    leads,
    passage,
    pieces,
    refused,
    script,
)

from index.errors import FonteError, LibraryMissing
from rag.types import Claim, Finished, Piece, Retrieved, Turn
from ui.page import App
from ui.serve import start

CHROMIUM = next((p for p in ("/usr/bin/chromium", shutil.which("chromium")) if p and Path(p).exists()), None)
ARGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip
EXAMPLES = ("Who leads?", "Chi guida la società?", "When is the search over?")

browser_test = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning:gradio")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server_asker():
    return ScriptedAsker()


@pytest.fixture
def asker(server_asker):
    yield server_asker
    server_asker.release()  # a failed test must not leave the model busy


@pytest.fixture(scope="module")
def url(server_asker):
    page = start(App(server_asker, lambda: 12, EXAMPLES), port=free_port())
    yield page.local_url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, url):
    """Open the page. At the end, nothing may have been asked of another address, and no script of ours have failed."""
    contexts, foreign, errors = [], [], []

    def opened(**settings):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **settings})
        contexts.append(context)
        context.on("request", lambda r: None if r.url.startswith((url, "data:")) else foreign.append(r.url))
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(url)
        page.wait_for_selector("#head header")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert foreign == []
    assert errors == []


def ask(page, question):
    page.fill("#box textarea", question)
    page.press("#box textarea", "Enter")


def ask_and_wait(page, question):
    ask(page, question)
    page.wait_for_selector("#reply .timings")


@browser_test
def test_passages_are_there_before_the_first_word(asker, open_page):
    reading, writing = threading.Event(), threading.Event()
    answer = leads("gated")
    asker.play("gated", Retrieved(PASSAGES), reading, *pieces("Shan Shan Wong [1"), writing, Finished(answer))
    page = open_page()
    ask(page, "gated")
    page.wait_for_selector("#side .passage:not(.empty)")
    assert page.locator("#side .passage").count() == len(PASSAGES)
    assert "Two share the top job" in page.inner_text("#side")
    assert page.locator("#reply .text").count() == 0
    assert page.get_by_role("button", name="Stop").is_visible()
    left = page.locator("#reply").bounding_box()["width"]
    reading.set()
    page.wait_for_selector("#reply .writing")
    page.wait_for_function("document.querySelector('#reply .text').innerText.trim() === 'Shan Shan Wong'")
    assert page.locator("#reply a.marker").count() == 0
    writing.set()
    page.wait_for_selector("#reply a.marker")
    assert page.locator("#reply").bounding_box()["width"] == left
    assert page.inner_text("#reply .timings") == "1.9 s to the first word, 4.2 s in all"


@browser_test
def test_markers_and_marked_quotes_lead_to_each_other(asker, open_page):
    page = open_page()
    ask_and_wait(page, asker.play("Who leads?", *script(leads())))
    assert page.locator("#side mark").all_text_contents() == [GUIDA, LEAD, DUTIES]
    page.click("#reply a.marker >> nth=2")
    page.wait_for_function("document.activeElement.tagName === 'MARK'")
    assert page.evaluate("document.activeElement.textContent") == DUTIES
    page.wait_for_function(
        "(b => b.top >= 0 && b.bottom <= innerHeight)(document.activeElement.getBoundingClientRect())"
    )
    page.click("#side a.back >> nth=1")
    page.wait_for_function("document.activeElement.matches('#reply a.marker')")
    assert page.evaluate("document.activeElement.textContent") == "2"


@browser_test
def test_a_focused_marker_shows_its_quote_and_lights_it(asker, open_page):
    page = open_page()
    ask_and_wait(page, asker.play("Who leads?", *script(leads())))
    page.locator("#reply a.marker").nth(1).focus()
    page.keyboard.press("Shift+Tab")  # the keyboard is in use: focus is visible
    shown = page.evaluate("getComputedStyle(document.activeElement, '::after').content")
    assert GUIDA in shown
    assert page.locator("mark.lit").all_text_contents() == [GUIDA]
    page.hover("#reply a.marker >> nth=2")
    page.wait_for_selector(f"mark.lit >> text={DUTIES}")


ODD_QUOTES = ("two\nlines  and   spaces", "a\r\nb\rc", "<b>&amp; \"quoted\" 'text'", "日本語の文。🙂", "${x} `{{y}}`")


@browser_test
def test_the_marked_text_is_the_quote_character_for_character(asker, open_page):
    page = open_page()
    for turn, quote in enumerate(ODD_QUOTES, 1):
        held = (passage(f"Before it. {quote} After it.", 1),)
        answer = answered("Q?", Claim("So.", (1,), "supported"), citations=[cite(1, quote, held)], passages=held)
        ask(page, asker.play(f"exact {turn}", *script(answer)))
        page.wait_for_selector(f"#reply #turn-{turn} ~ .timings")
        assert page.locator("#side mark").text_content() == quote
    assert page.locator("#past mark").all_text_contents() == list(ODD_QUOTES[:-1])


@browser_test
def test_a_refusal_is_a_calm_box_with_the_nearest_passages(asker, open_page):
    page = open_page()
    ask(page, asker.play("What do they earn?", Retrieved(PASSAGES), Finished(refused("What do they earn?"))))
    page.wait_for_selector("#reply .refusal")
    assert "The documents do not say what they earn." in page.inner_text("#reply .refusal")
    assert "Nearest passages" in page.inner_text("#side")
    assert page.locator("#side .passage").count() == 2
    assert page.locator("#reply .note, #side mark").count() == 0


@browser_test
def test_sentences_that_their_quotes_do_not_support_say_so(asker, open_page):
    claims = (Claim("Sure.", (1,), "supported"), Claim("Half.", (1,), "partly"), Claim("Free.", (), "unsupported"))
    page = open_page()
    ask_and_wait(page, asker.play("Q?", *script(answered("Q?", *claims, citations=[cite(1, GUIDA)]))))
    assert page.locator("#reply .claim").all_inner_texts() == [
        "Sure.1",
        "Half.1 partly supported",
        "Free. no quote supports this",
    ]


@browser_test
def test_a_conversation_is_told_to_the_asker_and_stays_above_with_its_quotes(asker, open_page):
    page = open_page()
    ask_and_wait(page, asker.play("Who leads?", *script(leads())))
    asker.play("Until when?", *script(refused("Until when?")))
    ask(page, "Until when?")
    page.wait_for_selector("#reply .refusal")
    assert asker.histories["Until when?"] == (Turn("user", "Who leads?"), Turn("agent", leads().text))
    assert "Who leads?" in page.inner_text("#past")
    page.click("#past a.marker >> nth=2")
    page.wait_for_function("document.activeElement.id === 'quote-1-3'")
    assert page.evaluate("document.activeElement.textContent") == DUTIES
    page.get_by_role("button", name="New conversation").click()
    page.wait_for_selector("#hero h1")
    ask_and_wait(page, asker.play("Who leads?", *script(leads())))
    assert asker.histories["Who leads?"] == ()


@browser_test
def test_an_error_is_one_sentence_and_the_conversation_goes_on(asker, open_page):
    page = open_page()
    ask(page, asker.play("early", LibraryMissing("No library at <here> yet. Make one: fonte add docs/")))
    page.wait_for_selector("#reply .note")
    assert page.inner_text("#reply .note") == "No library at <here> yet. Make one: fonte add docs/"
    ask(page, asker.play("broken", Retrieved(PASSAGES), Piece("It is"), ZeroDivisionError("secret detail")))
    page.wait_for_selector("#reply #turn-2")
    page.wait_for_selector("#reply .note >> text=Something went wrong")
    assert "It is" in page.inner_text("#reply")
    assert "secret" not in page.content()
    assert "Traceback" not in page.content()
    ask_and_wait(page, asker.play("Who leads?", *script(leads())))
    assert asker.histories["Who leads?"] == ()


@browser_test
def test_stop_keeps_what_was_written_and_closes_the_asker(asker, open_page):
    silence = threading.Event()
    asker.play("long", Retrieved(PASSAGES), Piece("It began "), silence, *[Piece("and on ")] * 9999, Finished(leads()))
    page = open_page()
    ask(page, "long")
    page.wait_for_selector("#reply .writing >> text=It began")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("#reply .note >> text=Stopped.")
    assert "It began" in page.inner_text("#reply")
    assert page.get_by_role("button", name="Ask", exact=True).is_visible()
    silence.set()
    assert asker.closed["long"].wait(10)
    ask_and_wait(page, asker.play("Who leads?", *script(leads())))


@browser_test
def test_closing_the_tab_closes_the_asker(asker, open_page):
    gone = threading.Event()
    asker.play("left", Retrieved(PASSAGES), gone, *[Piece("and on ")] * 9999, Finished(leads()))
    page = open_page()
    ask(page, "left")
    page.wait_for_selector("#side .passage:not(.empty)")
    page.close()
    gone.set()
    assert asker.closed["left"].wait(30)


@browser_test
def test_examples_ask_themselves_and_an_empty_question_asks_nothing(asker, open_page):
    page = open_page()
    ask(page, "   ")
    asker.play(EXAMPLES[0], *script(leads(EXAMPLES[0])))
    page.get_by_role("button", name=EXAMPLES[0]).click()
    page.wait_for_selector("#reply .timings")
    assert page.inner_text("#reply h2") == EXAMPLES[0]
    assert page.locator("#examples").is_hidden()
    assert page.locator("#past .turn").count() == 0


@browser_test
def test_an_italian_browser_has_an_italian_page(asker, open_page):
    page = open_page(locale="it-IT")
    page.wait_for_selector("#box textarea[placeholder='Chiedi ai tuoi documenti']")
    assert page.inner_text("#head") == "12 documenti su questo computer"
    ask_and_wait(page, asker.play("Chi?", *script(leads("Chi?"))))
    assert page.inner_text("#reply .timings") == "1,9 s alla prima parola, 4,2 s in tutto"
    assert page.get_by_role("button", name="Nuova conversazione").is_visible()


@browser_test
def test_nothing_is_wider_than_a_narrow_screen(asker, open_page):
    long = "Donaudampfschifffahrtsgesellschaft" * 12
    wide = (passage(f"{long} {long}.", 1, id=long, title=long, outlet=long), *PASSAGES[1:])
    answer = answered(long, Claim(f"{long}.", (1,), "partly"), citations=[cite(1, f"{long}.", wide)], passages=wide)
    page = open_page(viewport={"width": 320, "height": 700})
    overflow = "document.scrollingElement.scrollWidth - innerWidth"
    assert page.evaluate(overflow) <= 0
    ask_and_wait(page, asker.play(long, *script(answer)))
    for width in (320, 390, 768, 1024):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate(overflow) <= 0, width
        below = page.locator("#side").bounding_box()["y"] > page.locator("#reply").bounding_box()["y"]
        assert below == (width < 900), width


HOSTILE = (
    "<script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    "<img src=//127.0.0.2:9/hit>",
    "![hit](http://127.0.0.2:9/hit.png)",
    "[click](javascript:window.ran=1)",
    "<a href='javascript:window.ran=1' autofocus onfocus=window.ran=1>x</a>",
    "<svg/onload=window.ran=1>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<style>@import 'http://127.0.0.2:9/hit'; * {background:url(http://127.0.0.2:9/hit)}</style>",
    "\"><mark id=quote-1-1>owned</mark><b x=\"",
    "</p></div><form action=http://127.0.0.2:9/hit><button>x",
    "${window.ran=1} `${window.ran=1}` {{#with window}}{{/with}}",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.2:9/hit'><base href=http://127.0.0.2:9/>",
    "<details open ontoggle=window.ran=1><video poster=http://127.0.0.2:9/hit src=x onerror=window.ran=1>",
    "<scr<script>ipt>window.ran=1</scr</script>ipt><img src='x' onerror='window.ran=1",
)  # fmt: skip
STRANGERS = (
    "script, img, iframe, svg, style, form, video, meta, base, object, embed, [onerror], [onload], [onfocus], [style]"
)


def hostile_answer(text, question):
    """Return an answer that is hostile in every place a document or a model can write to."""
    bad = passage(f"{text} {GUIDA} {text}", 1, id=f"1{text}", title=text, outlet=text, published=text, source=text)
    rest = passage(text, 2, id=f"2{text}", title=text, language="<x>")
    claims = (Claim(text, (1,), "supported"), Claim(f"{text}.", (1,), "partly"))
    return answered(question, *claims, citations=[cite(1, f"{text} {GUIDA}", [bad])], passages=[bad, rest])


def strangers(page):
    return page.locator(
        ", ".join(f"{column} .html-container :is({STRANGERS})" for column in ("#past", "#reply", "#side"))
    )


@browser_test
def test_hostile_text_is_text_while_it_streams_and_ever_after(asker, open_page):
    page = open_page()
    before = page.url
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for turn, text in enumerate(HOSTILE, 1):
        answer, held = hostile_answer(text, f"{text} ?"), threading.Event()
        asker.play(answer.question, Retrieved(answer.passages), *pieces(answer.text, 1), held, Finished(answer))
        ask(page, answer.question)
        shown = "text => document.querySelector('#reply .writing')?.textContent.includes(text)"
        page.wait_for_function(shown, arg=text)
        assert strangers(page).count() == 0, text
        held.set()
        page.wait_for_selector(f"#reply #turn-{turn} ~ .timings")
        assert text in page.text_content("#reply")
        assert page.locator("#side mark").text_content() == answer.citations[0].quote
        assert strangers(page).count() == 0, text
    ask(page, asker.play("error", FonteError(" ".join(HOSTILE))))
    page.wait_for_selector("#reply .note")
    assert page.text_content("#reply .note") == " ".join(HOSTILE)
    assert page.locator("#past mark").all_text_contents() == [f"{text} {GUIDA}" for text in HOSTILE]
    assert strangers(page).count() == 0
    assert page.evaluate("window.ran") is None
    assert page.url == before


@browser_test
def test_even_markup_that_slipped_through_could_run_and_fetch_nothing(browser, url):
    page = browser.new_page()
    blocked = []
    page.on("console", lambda message: blocked.append(message.text))
    page.goto(url)
    page.wait_for_selector("#head header")
    slipped = "<img src=//127.0.0.2:9/hit onerror=window.ran=1><svg onload=window.ran=1>"
    page.evaluate("html => document.querySelector('#reply').innerHTML = html", slipped)
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in text for text in blocked)
    page.close()


@browser_test
def test_the_page_does_not_look_like_anyones_demo(open_page):
    page = open_page()
    assert page.title() == "fonte"
    assert "gradio" not in page.inner_text("body").lower()
    assert page.locator("footer").is_hidden()
    fonts = page.evaluate("getComputedStyle(document.querySelector('#box textarea')).fontFamily")
    assert "Source Sans" not in fonts


def status_of(url, **headers) -> int:
    data = headers.pop("data", None)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_server_hands_out_no_files_and_fetches_no_addresses(url):
    for path in (
        "gradio_api/file=http://127.0.0.1:9/x",
        "gradio_api/file=/etc/hostname",
        "gradio_api/info",
        "gradio_api/upload",
    ):
        assert status_of(url + path) == 403
    assert status_of(url, Host="evil.example") == 403
    join = {"data": b"{}", "Content-Type": "application/json"}
    assert status_of(f"{url}gradio_api/queue/join", Origin="http://evil.example", **join) == 403
    assert status_of(f"{url}gradio_api/queue/join", Origin=url.rstrip("/"), **join) == 422


def test_the_page_has_its_security_headers(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        headers = response.headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_page_config_tells_nothing_of_this_computer(url):
    with urllib.request.urlopen(f"{url}config", timeout=10) as response:
        config = json.loads(response.read())
    assert str(Path.home()) not in json.dumps(config)
    assert str(Path.cwd()) not in json.dumps(config)
    assert not config.get("analytics_enabled")


def test_a_port_in_use_is_one_sentence(asker, url):
    port = int(url.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(FonteError, match=rf"Port {port} .*--port {port + 1}"):
        start(App(asker, lambda: 0), port=port)


@pytest.mark.parametrize(
    ("host", "port"), [("0.0.0.0", 7860), ("192.168.1.5", 7860), ("127.0.0.1", 70000), ("127.0.0.1", 0)]
)
def test_an_address_for_others_or_no_port_at_all_is_one_sentence(asker, host, port):
    with pytest.raises(FonteError, match=host if port == 7860 else str(port)):
        start(App(asker, lambda: 0), host=host, port=port)


SERVING = """
import sys
from ui.page import App
from ui.serve import serve
serve(App(None, lambda: 0), port=int(sys.argv[1]), open_browser=False, ready=lambda url: print(url, flush=True))
"""


def test_serving_ends_quietly_with_ctrl_c():
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", SERVING, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as serving:
        assert serving.stdout.readline().strip() == f"http://127.0.0.1:{port}/"
        serving.send_signal(signal.SIGINT)
        out, err = serving.communicate(timeout=30)
    assert (serving.returncode, out, err) == (0, "", "")
