"""Word, PowerPoint, Excel, OpenDocument and EPUB files: what a reader of them sees becomes text, in its order."""

import datetime
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from docx.oxml import parse_xml
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from test_load import load_one, reason

from index.chunk import find_headings
from index.formats.layout import records
from index.formats.sheet import read_sheet
from index.formats.slides import read_slides
from index.formats.word import read_word
from index.sentences import sentence_spans

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
ACCENTS = "Perché la città è così? L’età dell’uomo è già più in là."


def saved(document: Any) -> bytes:
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def packed(parts: dict[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


def changed(data: bytes, parts: dict[str, str | bytes | None]) -> bytes:
    """Return the archive with some parts replaced, added, or (None) left out."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        kept: dict[str, str | bytes] = {name: source.read(name) for name in source.namelist() if name not in parts}
    return packed(kept | {name: content for name, content in parts.items() if content is not None})


def part(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name)


def word(*paragraphs: str) -> bytes:
    """Return a Word document whose paragraphs are XML."""
    document = docx.Document()
    for paragraph in paragraphs:
        document.element.body.insert(-1, parse_xml(paragraph.replace("<w:p>", f"<w:p {W}>", 1)))
    return saved(document)


def test_word_document_gives_headings_lists_and_tables_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "Verbale", "Anna Bo"
    document.core_properties.language = "it-IT"
    document.core_properties.created = datetime.datetime(2024, 3, 25)
    document.add_heading("Il primo punto: chi c'era?", 1)
    document.add_paragraph(ACCENTS)
    document.add_heading("Sotto", 2)
    document.add_paragraph("uno", style="List Bullet")
    document.add_paragraph("due", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for i, text in enumerate(["Voce", "Costo", "Affitto", "12\n€"]):
        table.cell(i // 2, i % 2).text = text
    document.add_paragraph("Si finisce.")
    document.save(str(tmp_path / "a.docx"))
    read = load_one(tmp_path / "a.docx")
    assert read.text == (
        f"# Il primo punto: chi c'era?\n\n{ACCENTS}\n\n## Sotto\n\n- uno\n- due\n\n"
        "| Voce | Costo |\n| Affitto | 12 € |\n\nSi finisce."
    )
    assert [name for _, name in find_headings(read.text)] == ["Il primo punto: chi c'era?", "Sotto"]
    assert (read.title, read.author, read.language, read.published) == ("Verbale", "Anna Bo", "it", "2024-03-25")


def test_word_document_without_properties_has_none() -> None:
    data = word("<w:p><w:r><w:t>Testo.</w:t></w:r></w:p>")
    assert read_word(changed(data, {"docProps/core.xml": None})) == {"text": "Testo."}


def test_word_document_with_a_picture_that_is_missing_is_read() -> None:
    data = word("<w:p><w:r><w:t>Testo.</w:t></w:r></w:p>")
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
    rels = part(data, "word/_rels/document.xml.rels").replace(
        b"</Relationships>", f'<Relationship Id="x" Type="{kind}" Target="NULL"/></Relationships>'.encode()
    )
    assert read_word(changed(data, {"word/_rels/document.xml.rels": rels}))["text"] == "Testo."


def test_word_text_is_what_the_last_reader_saw() -> None:
    data = word(
        '<w:p><w:r><w:t xml:space="preserve">La casa </w:t></w:r><w:del w:id="1" w:author="a"><w:r><w:delText>vecchia'
        '</w:delText></w:r></w:del><w:ins w:id="2" w:author="a"><w:r><w:t>nuova</w:t></w:r></w:ins></w:p>',
        '<w:p><w:moveFrom w:id="3"><w:r><w:t>Via di qui.</w:t></w:r></w:moveFrom>'
        '<w:moveTo w:id="4"><w:r><w:t>Ora qui.</w:t></w:r></w:moveTo></w:p>',
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>nascosto</w:t></w:r><w:r><w:rPr><w:vanish w:val='0'/></w:rPr>"
        "<w:t>visibile</w:t></w:r></w:p>",
        "<w:p><w:r><w:fldChar w:fldCharType='begin'/><w:instrText>DATE</w:instrText><w:t>25 marzo</w:t></w:r></w:p>",
        f"<w:sdt {W}><w:sdtContent>"
        "<w:p><w:r><w:t>Modulo</w:t><w:tab/><w:t>compilato</w:t></w:r></w:p></w:sdtContent></w:sdt>",
    )
    assert read_word(data)["text"] == "La casa nuova\n\nOra qui.\n\nvisibile\n\n25 marzo\n\nModulo\tcompilato"


def test_word_text_box_is_read_once_and_after_its_paragraph() -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>Nel riquadro.</w:t></w:r></w:p></w:txbxContent>"
    alternatives = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f'<mc:Choice Requires="wps">{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>'
    )
    data = word(f"<w:p><w:r><w:t>Fuori.</w:t></w:r><w:r>{alternatives}</w:r></w:p>")
    assert read_word(data)["text"] == "Fuori.\n\nNel riquadro."


def test_word_notes_follow_their_paragraph_and_headers_come_once_at_the_end() -> None:
    data = word(
        "<w:p><w:r><w:t>Il mulino</w:t></w:r>"
        '<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:t> gira.</w:t></w:r></w:p>',
        "<w:p><w:r><w:t>Altro.</w:t></w:r></w:p>",
    )
    document = docx.Document(io.BytesIO(data))
    header = document.sections[0].header.paragraphs[0]
    header.text = "Circolare n. 12"
    document.sections[0].footer.paragraphs[0]._p.append(
        parse_xml(f"<w:fldSimple {W} w:instr=' PAGE '><w:r><w:t>Pagina 7</w:t></w:r></w:fldSimple>")
    )
    document.add_section().header.is_linked_to_previous = False
    document.sections[1].header.paragraphs[0].text = "Circolare n. 12"
    data = saved(document)
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    rels = part(data, "word/_rels/document.xml.rels").replace(
        b"</Relationships>", f'<Relationship Id="n1" Type="{kind}" Target="footnotes.xml"/></Relationships>'.encode()
    )
    notes = (
        f'<w:footnotes {W}><w:footnote w:id="2"><w:p><w:r><w:t>Del 1820.</w:t></w:r></w:p></w:footnote></w:footnotes>'
    )
    data = changed(data, {"word/_rels/document.xml.rels": rels, "word/footnotes.xml": notes})
    assert read_word(data)["text"] == "Il mulino gira.\n\nDel 1820.\n\nAltro.\n\nCircolare n. 12"


def test_word_table_of_contents_and_deleted_rows_are_left_out() -> None:
    row = "<w:tr>{}<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc></w:tr>"
    inner = f"<w:tbl>{row.format('', 'dentro')}</w:tbl>"
    document = docx.Document(
        io.BytesIO(
            word(
                '<w:p><w:pPr><w:pStyle w:val="TOC1"/></w:pPr><w:r><w:t>Capo 3</w:t></w:r></w:p>',
                f"<w:tbl {W}>{row.format('', 'resta')}{row.format('<w:trPr><w:del/></w:trPr>', 'via')}"
                f"<w:tr><w:tc>{inner}<w:p/></w:tc></w:tr></w:tbl>",
            )
        )
    )
    document.styles.element.append(
        parse_xml(f'<w:style {W} w:type="paragraph" w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>')
    )
    assert read_word(saved(document))["text"] == "| resta |\n| dentro |"


def presentation() -> Any:
    show = pptx.Presentation()
    show.core_properties.title, show.core_properties.author = "PowerPoint Presentation", "Ugo Rè"
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "Il mulino è in vendita?"
    first.placeholders[1].text = "Costruito nel 1820\nComprato nel 1950"
    first.notes_slide.notes_text_frame.text = "Qui si parla del prezzo."
    show.slides.add_slide(show.slide_layouts[6])
    third = show.slides.add_slide(show.slide_layouts[5])
    third.shapes.title.text = "Conti"
    third._element.set("show", "0")
    table = third.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for i, text in enumerate(["Voce", "Costo", "Affitto", "12"]):
        table.cell(i // 2, i % 2).text = text
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "Nel gruppo"
    figures = CategoryChartData()
    figures.categories = ["2023", "2024"]
    figures.add_series("Ricavi", (10.5, 12))
    third.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, 0, 0, Inches(3), Inches(3), figures)
    return show


def test_slides_are_pages_with_titles_notes_tables_groups_and_charts(tmp_path: Path) -> None:
    presentation().save(tmp_path / "a.pptx")
    read = load_one(tmp_path / "a.pptx")
    assert read.text == (
        "# Il mulino è in vendita?\n\n- Costruito nel 1820\n- Comprato nel 1950\n\nQui si parla del prezzo.\n\n\n\n"
        "# Conti (hidden slide)\n\n| Voce | Costo |\n| Affitto | 12 |\n\n- Nel gruppo\n\n"
        "|  | Ricavi |\n| 2023 | 10.5 |\n| 2024 | 12 |\n\n"
    )
    assert [read.page_at(read.text.index(word)) for word in ("mulino", "prezzo", "Conti", "gruppo")] == [1, 1, 3, 3]
    assert len(read.pages) == 3
    assert [name for _, name in find_headings(read.text)] == ["Il mulino è in vendita?", "Conti (hidden slide)"]
    assert (read.title, read.author) == ("Il mulino è in vendita?", "Ugo Rè")


def test_text_of_a_diagram_is_read() -> None:
    data = saved(presentation())
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/diagramData"
    rels = part(data, "ppt/slides/_rels/slide2.xml.rels").replace(
        b"</Relationships>", f'<Relationship Id="d1" Type="{kind}" Target="../data1.xml"/></Relationships>'.encode()
    )
    diagram = '<d xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:p><a:t>Fase uno</a:t></a:p></d>'
    parsed = read_slides(changed(data, {"ppt/slides/_rels/slide2.xml.rels": rels, "ppt/data1.xml": diagram}))
    assert "\n\n- Fase uno\n\n# Conti" in parsed["text"]


def test_figures_of_a_chart_of_a_rare_kind_are_read() -> None:
    data = saved(presentation())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = (name for name in archive.namelist() if re.fullmatch(r"ppt/charts/chart\d+\.xml", name))
    chart = part(data, name).replace(b"c:barChart", b"c:area3DChart")
    assert "|  | Ricavi |\n| 2023 | 10.5 |\n| 2024 | 12 |" in read_slides(changed(data, {name: chart}))["text"]


def workbook() -> Any:
    book = openpyxl.Workbook()
    book.properties.title, book.properties.creator = "Spese", "Anna Bo"
    book.properties.created = datetime.datetime(2024, 3, 25)
    sheet = book.active
    sheet.title = "Città"
    for row in (
        ["Spese dell'anno"],
        [],
        ["Voce", "Importo", "Quota", "Quando", None, "Nota"],
        ["Affitto", 1200.5, 0.125, datetime.datetime(2024, 3, 1), None, None],
        ["Luce\ne gas", 0.1 + 0.2, 1, datetime.datetime(2024, 4, 1, 9, 30), "x", "è\tgià"],
        [None, True, "=1/0", None],
    ):
        sheet.append(row)
    for cell in ("C4", "C5"):
        sheet[cell].number_format = "0.0%"
    hidden = book.create_sheet("Segreto")
    hidden.append(["nascosto"])
    hidden.sheet_state = "hidden"
    book.create_sheet("Vuoto")
    return book


def test_rows_of_a_sheet_say_what_they_mean(tmp_path: Path) -> None:
    workbook().save(tmp_path / "a.xlsx")
    read = load_one(tmp_path / "a.xlsx")
    assert read.text == (
        "# Città\n\n| Spese dell'anno |\n| Voce | Importo | Quota | Quando |  | Nota |\n"
        "| Voce: Affitto | Importo: 1200.5 | Quota: 12.5% | Quando: 2024-03-01 |\n"
        "| Voce: Luce e gas | Importo: 0.3 | Quota: 100.0% | Quando: 2024-04-01 09:30 | x | Nota: è già |\n"
        "| Importo: TRUE |\n\n"
        "# Segreto (hidden sheet)\n\n| nascosto |"
    )
    assert (read.title, read.author, read.published, read.pages) == ("Spese", "Anna Bo", "2024-03-25", ())
    sentences = [read.text[start:end] for start, end in sentence_spans(read.text, "it")]
    assert sentences == [line for line in read.text.splitlines() if line]


def test_workbook_without_a_title_has_the_name_of_its_file(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Somma", 12])
    book.create_sheet("Foglio2").append(["altro"])
    book.save(tmp_path / "conti.xlsx")
    read = load_one(tmp_path / "conti.xlsx")
    assert (read.title, read.text) == ("conti", "| Somma | 12 |\n\n# Foglio2\n\n| altro |")


def test_formula_gives_the_value_that_was_saved_and_is_never_calculated() -> None:
    book = openpyxl.Workbook()
    book.active.append(["Somma", "=1+1", '=WEBSERVICE("http://127.0.0.1:9/")'])
    data = saved(book)
    sheet = part(data, "xl/worksheets/sheet1.xml").replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>42</v>")
    sheet = sheet.replace(b"<f>1+1</f><v/>", b"<f>1+1</f><v>42</v>").replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>42</v>")
    assert read_sheet(changed(data, {"xl/worksheets/sheet1.xml": sheet}))["text"] == "| Somma | 42 |"


def test_sheet_that_claims_a_size_is_not_filled_up_to_it() -> None:
    book = openpyxl.Workbook()
    book.active.append(["testo"])
    data = saved(book)
    sheet = part(data, "xl/worksheets/sheet1.xml").replace(b'ref="A1"', b'ref="A1:XFD1048576"')
    assert b"XFD1048576" in sheet
    assert read_sheet(changed(data, {"xl/worksheets/sheet1.xml": sheet}))["text"] == "| testo |"


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([["Nome", "Età"], ["Anna", "34"]], ["| Nome | Età |", "| Nome: Anna | Età: 34 |"]),
        ([["Anna", "Roma"], ["Ugo", "Bari"]], ["| Anna | Roma |", "| Ugo | Bari |"]),  # no way to tell
        ([["2023", "2024"], ["1", "2"]], ["| 2023 | 2024 |", "| 1 | 2 |"]),
        ([["a", "a"], ["1", "2"]], ["| a | a |", "| 1 | 2 |"]),
        ([["a", "b"]], ["| a | b |"]),
        ([["", ""], []], []),
    ],
)
def test_names_of_columns_are_used_where_figures_stand_under_words(rows: list[list[str]], lines: list[str]) -> None:
    assert list(records(rows)) == lines


ODT_NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
    for name, long in [("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"),
                       ("style", "style"), ("meta", "meta"), ("manifest", "manifest")]
)  # fmt: skip
ODT_BODY = """<text:sequence-decls/><text:tracked-changes><text:changed-region><text:deletion>
<text:p>cancellato</text:p>
</text:deletion></text:changed-region></text:tracked-changes>
<text:p text:style-name="P1">Il caso</text:p><text:h text:outline-level="2">Primo  capo?</text:h>
<text:p>Due<text:s text:c="2"/>spazi, <text:span>città</text:span><office:annotation><text:p>commento</text:p>
</office:annotation><text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>La nota.</text:p>
</text:note-body></text:note> e <text:a>legame</text:a>.<draw:frame><draw:text-box><text:p>Nel riquadro.</text:p>
<text:list><text:list-item><text:p>voce</text:p></text:list-item></text:list></draw:text-box></draw:frame></text:p>
<text:list><text:list-item><text:p>uno</text:p><text:list><text:list-item><text:p>due</text:p></text:list-item>
</text:list></text:list-item></text:list><text:table-of-content><text:p>indice</text:p></text:table-of-content>
<text:section><table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>a</text:p><text:p>b</text:p>
</table:table-cell><table:table-cell><text:p>c</text:p></table:table-cell></table:table-row></table:table-header-rows>
</table:table></text:section>"""


def open_document(body: str = ODT_BODY, *, kind: str = "text", manifest: str = "") -> bytes:
    style = '<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
    styles = f"<office:automatic-styles>{style}</office:automatic-styles>"
    content = f"{styles}<office:body><office:text>{body}</office:text></office:body>"
    header = "<style:master-page><style:header><text:p>In testa</text:p></style:header></style:master-page>"
    told = (
        "<dc:title>Il titolo è qui</dc:title><dc:creator>Ugo</dc:creator><dc:language>it-IT</dc:language>"
        "<meta:initial-creator>Anna</meta:initial-creator><meta:creation-date>2024-03-25T10:00:00</meta:creation-date>"
    )
    names = f'{ODT_NAMES} xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return packed(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {names}>{content}</office:document-content>",
            "styles.xml": f"<office:document-styles {ODT_NAMES}>{header * 2}</office:document-styles>",
            "meta.xml": f"<office:document-meta {names}><office:meta>{told}</office:meta></office:document-meta>",
            "META-INF/manifest.xml": f"<manifest:manifest {ODT_NAMES}>{manifest}</manifest:manifest>",
        }
    )


def test_open_document_text_gives_everything_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.odt").write_bytes(open_document())
    read = load_one(tmp_path / "a.odt")
    assert read.text.split("\n\n") == [
        "# Il caso",
        "## Primo capo?",
        "Due spazi, città e legame.",
        "Nel riquadro.",
        "- voce",
        "La nota.",
        "- uno\n- due",
        "| a b | c |",
        "In testa",
    ]
    assert (read.title, read.author, read.language, read.published) == ("Il titolo è qui", "Anna", "it", "2024-03-25")


PAGE = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>t</title></head>'
)


def book(*chapters: str, more: str = "", encryption: str = "") -> bytes:
    """Return a book whose chapters are read in the opposite order to that in which they are listed."""
    items = "".join(f'<item id="c{i}" href="cap%20{i}.xhtml" media-type="application/xhtml+xml"/>'
                    for i in range(len(chapters)))  # fmt: skip
    nav = '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    spine = '<itemref idref="nav"/>' + "".join(f'<itemref idref="c{i}"/>' for i in reversed(range(len(chapters))))
    dc = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    told = (
        "<dc:title>Il mulino</dc:title><dc:creator>Anna Bo</dc:creator><dc:creator>Ugo Rè</dc:creator>"
        "<dc:language>it</dc:language><dc:publisher>La Casa</dc:publisher><dc:date>2024-03-25</dc:date>"
    )
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><metadata {dc}>{told}</metadata>'
        f"<manifest>{nav}{items}{more}</manifest><spine>{spine}</spine></package>"
    )
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
        ),
        "OEBPS/book.opf": package,
        "OEBPS/nav.xhtml": f"{PAGE}<body><nav>indice</nav></body></html>",
    }
    if encryption:
        parts["META-INF/encryption.xml"] = (
            f'<encryption><EncryptedData><CipherReference URI="{encryption}"/></EncryptedData></encryption>'
        )
    return packed(parts | {f"OEBPS/cap {i}.xhtml": text for i, text in enumerate(chapters)})


CHAPTER = (
    '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
    + PAGE
    + '<body><h1>Capo primo</h1><p>Perché la <b>citt</b>&agrave;&nbsp;dorme<a epub:type="noteref" href="#n">1</a>?</p>'
    "<script>no()</script><ul><li>uno</li><li>due</li></ul></body></html>"
)


def test_book_gives_its_chapters_in_reading_order(tmp_path: Path) -> None:
    last = f"{PAGE}<body><h2>Prima</h2><p>Si comincia qui.</p></body></html>"
    (tmp_path / "a.epub").write_bytes(book(CHAPTER, last, encryption="OEBPS/fonts/a.otf"))
    read = load_one(tmp_path / "a.epub")
    assert read.text == ("## Prima\n\nSi comincia qui.\n\n# Capo primo\n\nPerché la città dorme?\n\n- uno\n- due")
    assert (read.title, read.author, read.outlet) == ("Il mulino", "Anna Bo, Ugo Rè", "La Casa")
    assert (read.language, read.published) == ("it", "2024-03-25")


def test_book_under_drm_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.epub").write_bytes(book(CHAPTER, encryption="OEBPS/cap%200.xhtml"))
    assert "DRM" in reason(tmp_path / "a.epub")


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx", "odt", "epub"])
def test_document_without_text_says_so(tmp_path: Path, suffix: str) -> None:
    no_header = f"<office:document-styles {ODT_NAMES}/>"
    empty = {
        "docx": lambda: saved(docx.Document()),
        "pptx": lambda: saved(pptx.Presentation()),
        "xlsx": lambda: saved(openpyxl.Workbook()),
        "odt": lambda: changed(open_document(""), {"styles.xml": no_header}),
        "epub": lambda: book(f"{PAGE}<body><p> </p></body></html>"),
    }
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(empty[suffix]())
    assert reason(path) == "holds no text"


def test_strict_variant_is_named() -> None:
    data = word("<w:p><w:r><w:t>Testo.</w:t></w:r></w:p>")
    rels = part(data, "_rels/.rels").replace(
        b"http://schemas.openxmlformats.org/officeDocument/2006", b"http://purl.oclc.org/ooxml/officeDocument"
    )
    with pytest.raises(Exception, match="strict variant"):
        read_word(changed(data, {"_rels/.rels": rels}))
