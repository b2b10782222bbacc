"""Web pages, mails, tables, PDF and RTF: what becomes text, what becomes metadata, and what is left out."""

import email.message
import email.policy
import io
from pathlib import Path

import pytest
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from test_load import load, load_one, pdf, reason, write

from index.chunk import find_headings
from index.language import choose_language
from index.load import Failure, find_files, load_documents
from index.types import Document

PAGES = Path(__file__).parent / "data" / "pages"
LONG = "Il consiglio comunale ha approvato il bilancio, e la piazza resta chiusa fino a settembre per i lavori. " * 4


LINKED_DATA = '<script type="application/ld+json">{"@type":"NewsArticle","datePublished":"2021-02-03"}</script>'


def metadata(document: Document) -> tuple[str, ...]:
    return document.title, document.author, document.published, document.outlet, document.language, document.source


def page(body: str, head: str = "", attributes: str = 'lang="it"') -> str:
    return f"<!DOCTYPE html><html {attributes}><head>{head}</head><body>{body}</body></html>"


def article(head: str = "", body: str = "", attributes: str = 'lang="it"') -> str:
    return page(f"<article><h1>Un titolo</h1><p>{LONG}</p>{body}</article>", head, attributes)


# Web pages.


def test_italian_newspaper_page_keeps_the_article_and_nothing_else() -> None:
    document = load_one(PAGES / "quotidiano.html")
    assert document.text.split("\n") == [
        "# Il ponte di Valserena riapre dopo due anni di lavori",
        "",
        "Da lunedì si torna a passare sul Tresa: costo finale di 14,2 milioni, quasi due in più del previsto.",
        "",
        "VALSERENA - Il ponte sul Tresa riapre al traffico lunedì mattina, ventitré mesi dopo la chiusura decisa per "
        "il cedimento di una pila. Lo ha annunciato ieri il sindaco Bruno Testori.",
        "",
        "«Abbiamo mantenuto la promessa», ha detto Testori, «anche se con cinque mesi di ritardo». I mezzi sopra le "
        "7,5 tonnellate dovranno però usare la provinciale 41 fino a settembre.",
        "",
        "## Quanto è costato",
        "",
        "Il conto finale è di 14,2 milioni di euro, contro i 12,4 previsti dal bando. La differenza, spiega l'ufficio "
        "tecnico, viene da tre voci:",
        "",
        "- le fondazioni della seconda pila, rifatte da capo",
        "- il rincaro dell'acciaio",
        "- il ponte provvisorio per i pedoni",
        "",
        "## I prossimi passi",
        "",
        "Il collaudo definitivo si farà con il ponte aperto, di notte.",
        "",
        "A dirlo è l'ingegnera Paola Serra, che dirige i lavori. I sensori installati sulle pile resteranno per dieci "
        "anni.",
        "",
        "| Voce | Milioni |",
        "| Fondazioni | 1,1 |",
        "| Acciaio | 0,5 |",
    ]
    assert metadata(document) == (
        "Il ponte di Valserena riapre dopo due anni di lavori",
        "Marta Rinaldi",
        "2024-03-25",  # the day it was published, not the one it was changed
        "Il Corriere della Piana",
        "it",  # whatever the template says
        "https://www.corrieredellapiana.example/cronaca/2024/03/25/ponte-valserena-riapre/",
    )
    assert [heading for _, heading in find_headings(document.text)] == [
        "Il ponte di Valserena riapre dopo due anni di lavori",
        "Quanto è costato",
        "I prossimi passi",
    ]


def test_english_newspaper_page_keeps_the_article_and_nothing_else() -> None:
    document = load_one(PAGES / "herald.html")
    assert document.text.split("\n\n") == [
        "# Harbour ferry to run on batteries from May",
        "The crossing to Gull Island will be made by an electric ferry from 2 May, the harbour board said on Tuesday. "
        "The Marguerite, which has burned diesel since 1974, goes to a museum in Port Ellery.",
        "The new boat carries 96 passengers, twelve fewer than the old one, and charges for nine minutes at each turn. "
        "It was built by Tarn & Daughters for £3.1m.",
        "### Fares",
        "A return ticket rises from £6.40 to £6.90. Islanders keep their pass at £110 a year.",
        "1. Children under five travel free.\n2. Bicycles cost £1.\n3. Dogs are welcome on the upper deck.",
        "“We lost money on every crossing last winter,” said Hetty Vance, who chairs the board. “This boat pays for "
        "itself in eleven years.”",
        "Engineers will test the charging tower in February. If the tests fail, the start moves to 1 June.",
    ]
    assert metadata(document) == (
        "Harbour ferry to run on batteries from May",
        "Owen Pryce",
        "2023-11-08",
        "The Millhaven Herald",
        "en",
        "https://millhavenherald.example/news/ferry-batteries",
    )


def test_blog_page_has_its_host_for_an_outlet_and_no_comments() -> None:
    document = load_one(PAGES / "blog.html")
    assert document.text.startswith("# Come si restaura una stufa a legna\n\nUna stufa di ghisa")
    assert document.text.endswith("La ruggine si toglie a secco. L'acqua, nella ghisa, è l'inizio di altra ruggine.")
    assert "\n\n1. Togliere la piastra e gli anelli.\n2. Sfilare la griglia.\n3. Numerare" in document.text
    for dropped in ("Chi siamo", "condividere", "Grazie mille", "Lascia un commento", "Il forno a pozzetto"):
        assert dropped not in document.text
    assert metadata(document)[:4] == (
        "Come si restaura una stufa a legna",
        "Teresa Molin",
        "2022-10-14",
        "officinaghisa.example",
    )


def test_short_notice_is_read_whole_with_its_table_and_list() -> None:
    assert load_one(PAGES / "avviso.html").text == (
        "# Orari della biblioteca\n\nLa biblioteca è chiusa il 24 giugno.\n\n"
        "| Giorno | Apertura |\n| Lunedì | 14-19 |\n| Sabato | 9-12.30 |\n\n"
        "## Prestito\n\n- Libri: trenta giorni\n- Film: sette giorni\n\nTelefono 0000 123456."
    )


def test_page_whose_every_element_looks_like_furniture_is_still_read(tmp_path: Path) -> None:
    html = page('<div class="page no-sidebar"><p>Chiuso per ferie.</p><div class="cookie">Accetta</div></div>')
    assert load_one(write(tmp_path / "a.html", html)).text == "Chiuso per ferie."


@pytest.mark.parametrize(
    "title", ["Piove | Il Sito", "Piove – il sito", "Il Sito - Piove", "Il Sito | Piove", "Piove", "Piove » Il Sito"]
)
def test_title_loses_the_name_of_the_site(tmp_path: Path, title: str) -> None:
    head = f'<meta property="og:title" content="{title}"><meta property="og:site_name" content="Il Sito">'
    assert load_one(write(tmp_path / "a.html", article(head))).title == "Piove"


def test_title_keeps_a_dash_of_its_own(tmp_path: Path) -> None:
    head = '<meta property="og:title" content="Roma - Lazio 2-1"><meta property="og:site_name" content="Sport">'
    assert load_one(write(tmp_path / "a.html", article(head))).title == "Roma - Lazio 2-1"


@pytest.mark.parametrize(
    ("head", "body", "published"),
    [
        (LINKED_DATA, "", "2021-02-03"),
        ('<meta property="article:published_time" content="2021-02-03T23:30:00-05:00">', "", "2021-02-03"),
        ('<meta name="date" content="2021-02-03">', "", "2021-02-03"),
        ("", '<time datetime="2021-02-03">3 febbraio</time>', "2021-02-03"),
        ("", "<p>Il mulino fu costruito il 12 marzo 1998 e chiuso il 4 novembre 2010.</p>", ""),
        ("", "<footer>Copyright 2021</footer>", ""),
        ('<meta property="article:published_time" content="2024-13-45">', "", ""),
    ],
)  # fmt: skip
def test_day_of_publication_is_declared_and_never_guessed(tmp_path: Path, head: str, body: str, published: str) -> None:
    assert load_one(write(tmp_path / "a.html", article(head, body))).published == published


def test_title_of_which_nothing_says_which_part_is_the_sites_stays_whole(tmp_path: Path) -> None:
    whole = "La Voce di Chioggia - Porto, accordo sui dragaggi"
    content = page(f"<div>Menu</div><div>{LONG}</div>", f"<title>{whole}</title>")
    assert load_one(write(tmp_path / "a.html", content)).title == whole


def test_what_the_page_marks_as_its_main_part_is_not_lost_for_looking_like_a_list(tmp_path: Path) -> None:
    """A page of short news, with its key points: the extraction alone keeps the longest of them."""
    posts = "".join(
        f'<div class="post"><h3>Notizia {n}</h3><p>Alle {n} sono {n}00 le case senza luce in provincia.</p></div>'
        for n in range(5)
    )
    points = "<ul><li>Treni fermi a Trento</li><li>Scuole chiuse in tutta la valle fino a venerdì</li></ul>"
    body = f"<main><h1>Diretta</h1><div><h2>In breve</h2>{points}</div>{posts}</main>"
    text = load_one(write(tmp_path / "a.html", page(body))).text
    assert "- Treni fermi a Trento" in text
    assert [f"Alle {n} sono {n}00 le case" in text for n in range(5)] == [True] * 5


def test_page_in_a_form_is_read(tmp_path: Path) -> None:
    content = page("<form><h1>Orari</h1><p>La biblioteca apre alle 9.</p></form>")
    assert load_one(write(tmp_path / "a.html", content)).text == "# Orari\n\nLa biblioteca apre alle 9."


def test_who_is_quoted_and_what_a_tall_cell_says_of_each_row_are_kept(tmp_path: Path) -> None:
    quote = "<blockquote><p>Il terzo pilone è il peggiore</p><footer>Elena Trevisan</footer></blockquote>"
    rows = "<tr><td>Rossi</td><td rowspan=2>Verdi</td><td>12</td></tr><tr><td>Neri</td><td>9</td></tr>"
    content = article(body=f"{quote}<table><tr><th>Chi</th><th>Lista</th><th>Voti</th></tr>{rows}</table>")
    text = load_one(write(tmp_path / "a.html", content)).text
    assert "Elena Trevisan" in text
    assert "| Rossi | Verdi | 12 |\n| Neri | Verdi | 9 |" in text


def test_page_saved_by_a_browser_tells_where_it_was(tmp_path: Path) -> None:
    saved = "<!-- saved from url=(0031)https://www.esempio.example/uno -->\n" + article()
    document = load_one(write(tmp_path / "a.html", saved))
    assert (document.source, document.outlet) == ("https://www.esempio.example/uno", "esempio.example")


def test_xhtml_and_web_archives_are_read_like_pages(tmp_path: Path) -> None:
    xhtml = '<?xml version="1.0" encoding="utf-8"?>\n' + article(
        attributes='xmlns="http://www.w3.org/1999/xhtml" xml:lang="it"'
    )
    document = load_one(write(tmp_path / "a.xhtml", xhtml))
    assert document.text.startswith("# Un titolo\n\nIl consiglio")
    archive = email.message.EmailMessage(policy=email.policy.SMTP)
    archive["Snapshot-Content-Location"] = "https://www.esempio.example/due"
    archive.set_content(article(), subtype="html")
    archive.add_related(b"\x89PNG", "image", "png")
    document = load_one(write(tmp_path / "a.mhtml", archive.as_bytes()))
    assert document.text.startswith("# Un titolo\n\nIl consiglio")
    assert (document.source, document.language) == ("https://www.esempio.example/due", "it")
    assert reason(write(tmp_path / "b.mht", b"MIME-Version: 1.0\n\nno page")) == "holds no web page"


# Language.


def test_declared_language_loses_against_plain_evidence_only() -> None:
    english = "The council approved the budget and the square stays closed until September for the works. " * 3
    assert choose_language(LONG, declared="en") == "it"
    assert choose_language(english, declared="it") == "en"
    assert choose_language(LONG, declared="it") == "it"
    assert choose_language(LONG, declared="eu") == "eu"  # the detector does not know Basque
    assert choose_language("OK, 12", declared="it") == "it"
    assert choose_language(LONG, declared="") == "it"


def test_corpus_says_itself_which_language_it_is_in(tmp_path: Path) -> None:
    assert load_one(write(tmp_path / "a.jsonl", f'{{"id": "a", "text": "{LONG}", "language": "en"}}')).language == "en"


@pytest.mark.parametrize(
    ("told", "published"),
    [
        ("2024-03-25", "2024-03-25"), ("2024-03-25T10:00:00Z", "2024-03-25"), ("20240325", "2024-03-25"),
        ("2024/02/29", "2024-02-29"), ("2023-02-29", ""), ("2024-13-45", ""), ("0000-01-01", ""), ("0001-01-01", ""),
        ("9999-12-31", ""), ("25/03/2024", ""), ("20240325103000", ""), ("yesterday", ""), ("2024", ""),
    ],
)  # fmt: skip
def test_date_that_no_calendar_has_is_none(tmp_path: Path, told: str, published: str) -> None:
    corpus = write(tmp_path / "a.jsonl", f'{{"id": "a", "text": "testo", "date": "{told}"}}')
    assert load_one(corpus).published == published


# Text with header lines.


def test_header_lines_of_a_text_become_metadata_and_stay(tmp_path: Path) -> None:
    content = f"Titolo: La piena\nTestata: L'Eco\nAutore: Ugo\nData: 2024-03-25\nURL: https://eco.example/1\n\n{LONG}\n"
    document = load_one(write(tmp_path / "a.txt", content))
    assert document.text == content
    assert metadata(document) == ("La piena", "Ugo", "2024-03-25", "L'Eco", "it", "https://eco.example/1")


@pytest.mark.parametrize(
    "content", ["Data: 2024-03-25\n\ntesto", "Titolo: uno\nRoma: piove\n\ntesto", "Date: 2024-03-25\nTitle: x\ntesto"]
)
def test_text_that_only_looks_like_header_lines_tells_nothing(tmp_path: Path, content: str) -> None:
    document = load_one(write(tmp_path / "a.txt", content))
    assert (document.text, document.published, document.author) == (content, "", "")


# Mails.


def mail(plain: str = "", html: str = "") -> email.message.EmailMessage:
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = "Anna Bò <anna@posta.example>"
    message["To"] = "Ugo <ugo@posta.example>"
    message["Subject"] = "Riunione di lunedì"
    message["Date"] = "Mon, 25 Mar 2024 23:10:00 +0100"
    if plain:
        message.set_content(plain, charset="iso-8859-1", cte="quoted-printable")
    if html:
        (message.add_alternative if plain else message.set_content)(html, subtype="html")
    return message


def test_mail_gives_its_plain_part_quotes_included_and_names_attachments(tmp_path: Path) -> None:
    message = mail("È lunedì alle nove.\n\n> Quando ci vediamo?\n", "<p>altra parte</p>")
    message.add_attachment(b"%PDF-1.4 segreto", maintype="application", subtype="pdf", filename="conto.pdf")
    document = load_one(write(tmp_path / "a.eml", message.as_bytes()))
    assert document.text == (
        "From: Anna Bò <anna@posta.example>\nTo: Ugo <ugo@posta.example>\nDate: Mon, 25 Mar 2024 23:10:00 +0100\n"
        "Subject: Riunione di lunedì\n\nÈ lunedì alle nove.\n\n> Quando ci vediamo?\n\nAttachment: conto.pdf"
    )
    assert metadata(document)[:4] == ("Riunione di lunedì", "Anna Bò <anna@posta.example>", "2024-03-25", "")


def test_mail_that_is_only_a_page_is_read_whole(tmp_path: Path) -> None:
    html = article(body="<script>x()</script><ul><li>uno</li><li>due</li></ul>")
    document = load_one(write(tmp_path / "a.eml", mail(html=html).as_bytes()))
    assert f"lunedì\n\n# Un titolo\n\n{LONG.strip()}\n\n- uno\n- due" in document.text
    assert "x()" not in document.text


def test_newsletter_laid_out_in_tables_reads_from_top_to_bottom(tmp_path: Path) -> None:
    cells = "<td><h2>Lavoro</h2><p>La fabbrica assume.</p></td><td><h2>Mostre</h2><p>Apre Morandi.</p></td>"
    html = page(
        '<div style="display: none">anteprima</div><table><tr><td><p>Cari lettori.</p></td></tr>'
        f"<tr><td><table><tr>{cells}</tr></table></td></tr>"
        "<tr><td><a href='/a'>L'affitto sale a 1.020 euro</a></td></tr></table>"
    )
    for plain in ("", "Questo messaggio si legge in un programma che mostra l'HTML."):
        document = load_one(write(tmp_path / "a.eml", mail(plain[:40], html).as_bytes()))
        assert document.text.split("\n\n")[1:] == [
            "Cari lettori.", "## Lavoro", "La fabbrica assume.", "## Mostre", "Apre Morandi.",
            "L'affitto sale a 1.020 euro",
        ]  # fmt: skip


def test_mail_keeps_every_text_in_it_and_the_mails_it_sends_on(tmp_path: Path) -> None:
    message, sent_on = mail("Prima della foto."), mail("Il codice è 9934.")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="foto.png")
    message.add_attachment("Dopo la foto.", disposition="inline")
    message.add_attachment(sent_on)
    texts = load_one(write(tmp_path / "a.eml", message.as_bytes())).text.split("\n\n")
    assert texts[1:3] == ["Prima della foto.", "Dopo la foto."]
    assert texts[-2:] == ["Il codice è 9934.", "Attachment: foto.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_mail_whose_head_breaks_the_rules_keeps_its_letters(tmp_path: Path, encoding: str) -> None:
    content = "From: a@b.example\nSubject: Città e università\nContent-Type: text/plain; charset=utf-8\n\nÈ l’una.\n"
    document = load_one(write(tmp_path / "a.eml", content.encode(encoding)))
    assert (document.title, document.text.endswith("\n\nÈ l’una.")) == ("Città e università", True)


def test_mail_without_headers_is_refused_and_one_without_a_body_is_not(tmp_path: Path) -> None:
    assert reason(write(tmp_path / "a.eml", "solo testo")) == "is not a mail, whatever its name says"
    assert load_one(write(tmp_path / "b.eml", "Subject: a presto\n\n")).text == "Subject: a presto"


# Tables.


def test_line_that_tells_excel_the_delimiter_is_no_row(tmp_path: Path) -> None:
    read = load_one(write(tmp_path / "a.csv", "sep=;\nnome;quota\nAnna, Ugo;2,5\n"))
    assert read.text == "| nome | quota |\n| nome: Anna, Ugo | quota: 2,5 |"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "nome,quota,nota\nAnna,2,\nUgo,3,\"ieri, forse\"\n"),
        ("a.csv", "nome;quota;nota\r\nAnna;2;\r\nUgo;3;ieri, forse\r\n"),
        ("a.tsv", "nome\tquota\tnota\nAnna\t2\t\nUgo\t3\tieri, forse\n"),
    ],
)  # fmt: skip
def test_row_of_a_table_says_what_its_cells_are(tmp_path: Path, name: str, content: str) -> None:
    assert load_one(write(tmp_path / name, content)).text == (
        "| nome | quota | nota |\n| nome: Anna | quota: 2 |\n| nome: Ugo | quota: 3 | nota: ieri, forse |"
    )


def test_decimal_commas_do_not_part_cells_and_formulas_stay_text(tmp_path: Path) -> None:
    rows = "voce;costo\nacciaio;1,5\nferro;12,25\nsomma;=SUM(B2:B3)\n"
    text = load_one(write(tmp_path / "a.csv", rows.encode("cp1252"))).text
    assert text.endswith("| voce: ferro | costo: 12,25 |\n| voce: somma | costo: =SUM(B2:B3) |")


def test_table_without_names_and_lines_that_are_no_table_stand_as_they_are(tmp_path: Path) -> None:
    assert load_one(write(tmp_path / "a.csv", "1,2024\n2,2025\n")).text == "| 1 | 2024 |\n| 2 | 2025 |"
    assert load_one(write(tmp_path / "b.csv", "uno\ndue\n")).text == "| uno |\n| due |"


# RTF.


def test_rows_of_an_rtf_table_begin_with_a_bar_like_all_others(tmp_path: Path) -> None:
    row = r"\trowd\cellx1000\cellx2000\intbl %s\cell %s\cell\row"
    read = load_one(
        write(tmp_path / "a.rtf", r"{\rtf1 Soci\par" + row % ("Nome", "Quota") + row % ("Anna", "50") + "}")
    )
    assert read.text.endswith("| Nome | Quota |\n| Anna | 50 |")


def test_rtf_gives_paragraphs_footnotes_and_metadata(tmp_path: Path) -> None:
    content = (
        rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Times;}}{\info{\title Verbale: perch\'e9}{\author Anna}"
        rb"{\creatim\yr2024\mo3\dy5}}\pard Disse: \'abPerch\'e9 no?\'bb{\footnote Nota.}\par Costa 10 "
        rb"\u8364?, \u-10179?\u-8704?.\par\trowd Uno\cell Due\cell\row Tre\cell Quattro\cell\row}"
    )
    document = load_one(write(tmp_path / "a.rtf", content))
    assert document.text == "Disse: «Perché no?» Nota.\n\nCosta 10 €, 😀.\n\n| Uno | Due |\n| Tre | Quattro |"
    assert metadata(document)[:3] == ("Verbale: perché", "Anna", "2024-03-05")
    assert reason(write(tmp_path / "b.rtf", "testo")) == "is not an RTF file, whatever its name says"


# PDF.


def test_words_broken_at_the_end_of_a_line_are_whole_again(tmp_path: Path) -> None:
    lines = "Una infor-\nmazione sul well-\nknown porto.\nCosa dice il Nord-\nItalia: well done, known.\n2020-\n2021"
    assert load_one(pdf(tmp_path / "a.pdf", [lines])).text == (
        "Una informazione\nsul well-known\nporto.\nCosa dice il Nord-Italia:\nwell done, known.\n2020-\n2021\n\n"
    )


def test_running_heads_and_page_numbers_are_read_once(tmp_path: Path) -> None:
    texts = [f"Rapporto sul porto\nTesto {n * n}.\n{n * 7} navi in rada\nPagina {n} di 6" for n in range(1, 7)]
    document = load_one(pdf(tmp_path / "a.pdf", texts))
    assert document.text.count("Rapporto sul porto") == document.text.count("Pagina") == 1
    for n in range(1, 7):
        assert f"{n * 7} navi in rada" in document.text
        assert document.page_at(document.text.index(f"Testo {n * n}.")) == n


def test_first_lines_of_a_table_on_each_page_are_no_running_heads(tmp_path: Path) -> None:
    texts = [f"{n * 3:02}/02/2024 {n * 41},50\nSaldo" for n in range(1, 7)]
    document = load_one(pdf(tmp_path / "a.pdf", texts))
    assert all(text.split("\n")[0] in document.text for text in texts)


def test_pages_that_are_pictures_are_told_and_the_others_added(tmp_path: Path) -> None:
    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (20, 20), "white").save(picture, "PNG")
    canvas = Canvas(str(tmp_path / "a.pdf"))
    for kind in ("text", "scan", "scan", "blank", "scan", "text"):
        if kind == "text":
            canvas.drawString(72, 720, "Una pagina scritta.")
        if kind == "scan":
            canvas.drawImage(ImageReader(picture), 0, 0, 400, 600)
        canvas.showPage()
    canvas.save()
    remarks: list[Failure] = []
    loaded = load_documents(find_files([tmp_path]).files, on_failure=print, on_remark=remarks.append)
    ((_, document),) = loaded
    assert document and document.page_at(document.text.rindex("Una")) == 6
    assert [str(remark) for remark in remarks] == [
        f"{tmp_path}/a.pdf has 3 of 6 pages without text (2-3, 5): they may be scans, which need OCR first; "
        "the others were added"
    ]


def test_title_that_a_program_made_up_is_none(tmp_path: Path) -> None:
    document = load_one(pdf(tmp_path / "a.pdf", ["Il verbale", "x"], title="Microsoft Word - verbale2.docx"))
    assert document.title == "Il verbale"


def test_ligatures_are_letters(tmp_path: Path) -> None:
    from index.formats.pdf import _LIGATURES

    assert "eﬃcace ﬁne ﬂutto".translate(_LIGATURES) == "efficace fine flutto"


# All of them.


def test_every_new_kind_is_found_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    write(tmp_path / "b.EML", mail("testo").as_bytes())
    write(tmp_path / "c.rtf", b"{\\rtf1 testo}")
    write(tmp_path / "d.mht", mail(html=article()).as_bytes())
    documents, failures = load(tmp_path)
    assert [document.id for document in documents] == ["a.csv", "b.EML", "c.rtf", "d.mht"]
    assert failures == []
