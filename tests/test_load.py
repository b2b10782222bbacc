"""Files to documents: every format, every encoding, and files that mean harm."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import docx
import pypdf
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from index.errors import UnreadableFile
from index.load import Failure, SourceFile, _Reader, find_files, load_documents
from index.types import Document

ITALIAN = "Perché la città è così? L’età dell’uomo è già più in là."


def load(*paths: Path, max_file_mb: float = 32, timeout_s: float = 60) -> tuple[list[Document], list[Failure]]:
    found = find_files(paths)
    failures = list(found.failed)
    loaded = load_documents(found.files, on_failure=failures.append, max_file_mb=max_file_mb, timeout_s=timeout_s)
    return [document for _, document in loaded if document], failures


def load_one(path: Path) -> Document:
    (document,), failures = load(path)
    assert failures == []
    return document


def reason(path: Path) -> str:
    documents, (failure,) = load(path)
    assert documents == []
    assert failure.path == str(path)
    return failure.reason


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pdf(path: Path, pages: list[str], *, encrypt: StandardEncryption | None = None, title: str = "") -> Path:
    canvas = Canvas(str(path), encrypt=encrypt)
    canvas.setTitle(title)
    for page in pages:
        for i, line in enumerate(page.splitlines()):
            canvas.drawString(72, 720 - 20 * i, line)
        canvas.showPage()
    canvas.save()
    return path


def test_clean_text_is_the_files_text_to_the_character(tmp_path: Path) -> None:
    content = "Un titolo\n\n  Prima frase.\tPerché no? 😀👨\u200d👩\u200d👧 ❤️\n\n\nFine.  \n"
    document = load_one(write(tmp_path / "a.txt", content))
    assert document.text == content
    assert (document.id, document.title, document.language) == ("a.txt", "Un titolo", "it")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"], ids=str
)
def test_encoding_of_an_italian_file_is_recognised(tmp_path: Path, encoding: str) -> None:
    assert load_one(write(tmp_path / "a.txt", ITALIAN.encode(encoding))).text == ITALIAN


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "È già lì."),
        ("latin-1", "Le général est né à Orléans; die Größe der Häuser."),
        ("cp1250", "Zażółć gęślą jaźń. Łódź jest piękna."),
        ("cp1251", "Привет, это простой текст на русском языке."),
        ("koi8-r", "Привет, это простой текст на русском языке."),
        ("shift_jis", "これは日本語の文章です。文字コードの判定を試します。"),
        ("iso8859_7", "Αυτό είναι ένα απλό ελληνικό κείμενο."),
    ],
)
def test_old_encodings_are_recognised(tmp_path: Path, encoding: str, text: str) -> None:
    assert load_one(write(tmp_path / "a.txt", text.encode(encoding))).text == text


def test_foreign_bytes_in_utf8_are_kept_as_letters(tmp_path: Path) -> None:
    mixed = "È già là, più su. ".encode() * 3 + "perché".encode("latin-1")
    assert load_one(write(tmp_path / "a.txt", mixed)).text == "È già là, più su. " * 3 + "perché"


def test_what_cannot_be_seen_is_taken_out(tmp_path: Path) -> None:
    hidden = (
        "a\x00b\x1b[31mred\x1b[0m\u202e zero\u200bwidth\u00ad \U000e0041tag va\ufe0fr e\u0301\r\nline\u2028end\x07"
        + "." * 50
    )
    assert load_one(write(tmp_path / "a.txt", hidden)).text == "abred zerowidth tag var é\nline\nend" + "." * 50


def test_persian_joiner_is_a_letter_and_stays(tmp_path: Path) -> None:
    assert load_one(write(tmp_path / "a.txt", "می\u200cخواهم")).text == "می\u200cخواهم"


@pytest.mark.parametrize("content", [b"", b"  \n\t ", b"\xef\xbb\xbf", "\u200b\u200b".encode(), b"...\n---\n"])
def test_file_without_text_is_refused(tmp_path: Path, content: bytes) -> None:
    assert reason(write(tmp_path / "a.txt", content)) in ("is empty", "holds no text")


@pytest.mark.parametrize(
    ("content", "like"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(100), "a program"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
        (b"GGUF\x03\x00\x00\x00" + bytes(100), "model weights"),
        (b"%PDF-1.7\n" + bytes(100), "a PDF"),
        (pickle.dumps({"a": 1}), "pickle"),
        (bytes(range(32)) * 20, "control characters"),
        (bytes(1000), "NUL"),
    ],
)
def test_binary_file_is_refused_whatever_its_name(tmp_path: Path, content: bytes, like: str) -> None:
    for name in ("a.txt", "a.md", "a.html", "a.jsonl"):
        assert like in reason(write(tmp_path / name, content))
    for name in ("a.docx", "a.pdf")[: 1 if content.startswith(b"%PDF") else 2]:
        assert reason(write(tmp_path / name, content)).startswith("is not a ")


def test_front_matter_becomes_metadata_and_offsets_count_from_the_text(tmp_path: Path) -> None:
    head = (
        "---\ntitle: Il caso\ndate: 2024-03-25\nlanguage: it\nauthor: [Anna, Ugo]\nsource: https://example.org/a\n---\n"
    )
    document = load_one(write(tmp_path / "a.md", head + "# Capo\n\nTesto.\n"))
    assert document.text == "# Capo\n\nTesto.\n"
    assert document.title == "Il caso"
    assert document.published == "2024-03-25"
    assert (document.language, document.author, document.source) == ("it", "Anna, Ugo", "https://example.org/a")


@pytest.mark.parametrize("head", ["---\nnot: [closed\n---\n", "---\njust words\n---\n", "---\nno end: 1\n"])
def test_rule_that_is_no_front_matter_stays_in_the_text(tmp_path: Path, head: str) -> None:
    assert load_one(write(tmp_path / "a.md", head + "Testo.\n")).text == head + "Testo.\n"


def test_title_is_the_first_line_or_else_the_name(tmp_path: Path) -> None:
    assert load_one(write(tmp_path / "a.md", "\n\n## Il capo\n\nTesto.")).title == "Il capo"
    for long in ("parola " * 100, "x" * 120 + " y"):
        assert load_one(write(tmp_path / "my-notes.txt", long)).title == "my-notes"


HTML = """<html lang="it"><head><title>Il caso | Il Sito</title><meta property="og:title" content="Il caso">
<meta name="author" content="Anna Bo"><meta property="article:published_time" content="2024-03-25T10:00:00Z">
<meta property="og:site_name" content="Il Sito"></head><body><nav>Menu Home</nav><article><h1>Il caso</h1>
<p>Un paragrafo abbastanza lungo da essere preso per il testo di un articolo vero e proprio.</p>
<p>Un altro paragrafo, che dice ancora qualcosa di interessante a chi legge.</p></article>
<script>alert("no")</script></body></html>"""


def test_html_gives_its_article_and_metadata(tmp_path: Path) -> None:
    document = load_one(write(tmp_path / "a.html", HTML))
    assert "paragrafo abbastanza lungo" in document.text
    assert "alert" not in document.text and "Menu" not in document.text and "<" not in document.text
    assert (document.title, document.author, document.outlet) == ("Il caso", "Anna Bo", "Il Sito")
    assert (document.published, document.language) == ("2024-03-25", "it")


def test_html_without_an_article_gives_what_a_browser_shows(tmp_path: Path) -> None:
    page = "<p>Ciao <b>mondo</b></p><script>x()</script><style>y{}</style>"
    assert load_one(write(tmp_path / "a.htm", page)).text.split() == ["Ciao", "mondo"]
    assert reason(write(tmp_path / "b.htm", "<script>x()</script>")) == "holds no text"


def test_html_in_its_declared_encoding(tmp_path: Path) -> None:
    page = '<html><head><meta charset="koi8-r"></head><body><p>Привет, мир</p></body></html>'
    assert "Привет" in load_one(write(tmp_path / "a.html", page.encode("koi8-r"))).text


@pytest.mark.parametrize("declared", ["iso-8859-1", "latin1", "windows-1252"])
def test_curly_quotes_of_windows_survive_a_page_that_declares_latin_1(tmp_path: Path, declared: str) -> None:
    page = f'<html><head><meta charset="{declared}"></head><body><p>L’età dell’oro – c’è «già» a 3 €</p></body></html>'
    assert load_one(write(tmp_path / "a.html", page.encode("cp1252"))).text == "L’età dell’oro – c’è «già» a 3 €"


def test_deeply_nested_html_is_survived(tmp_path: Path) -> None:
    deep = write(tmp_path / "a.html", "<div>" * 100_000 + "in fondo" + "</div>" * 100_000)
    documents, failures = load(deep, write(tmp_path / "b.txt", "dopo"))
    assert documents[-1].id == "b.txt"
    assert len(documents) + len(failures) == 2


def test_pdf_knows_its_pages(tmp_path: Path) -> None:
    document = load_one(pdf(tmp_path / "a.pdf", ["First page.", "Second page.\nMore.", "Third."], title="A report"))
    assert document.title == "A report"
    assert len(document.pages) == 3
    for word, page in (("First", 1), ("Second", 2), ("More", 2), ("Third", 3)):
        assert document.page_at(document.text.index(word)) == page


def test_pdf_behind_a_password_is_refused_and_one_with_an_owner_is_read(tmp_path: Path) -> None:
    user = pdf(tmp_path / "user.pdf", ["Secret."], encrypt=StandardEncryption("password", strength=128))
    assert reason(user).startswith("is encrypted")
    writer = pypdf.PdfWriter(clone_from=pdf(tmp_path / "plain.pdf", ["Not secret."]))
    writer.encrypt(user_password="", owner_password="owner", algorithm="AES-256")
    writer.write(tmp_path / "owner.pdf")
    assert "Not secret." in load_one(tmp_path / "owner.pdf").text


def test_archive_that_only_carries_the_mark_of_a_pdf_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pdf", "w") as archive:
        archive.writestr("%PDF-1.7", "testo")
    assert reason(tmp_path / "a.pdf") == "is not a PDF, whatever its name says"
    whole = pdf(tmp_path / "b.pdf", ["Testo."]).read_bytes()
    assert "Testo." in load_one(write(tmp_path / "b.pdf", b"\n-- \n" + whole)).text


def test_pdf_without_text_is_not_taken_for_an_empty_document(tmp_path: Path) -> None:
    assert "scan" in reason(pdf(tmp_path / "a.pdf", ["", ""]))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_pdf_and_docx_do_no_harm(tmp_path: Path, share: float) -> None:
    whole = pdf(tmp_path / "whole.pdf", ["Some text."] * 3).read_bytes()
    word = io.BytesIO()
    docx.Document().save(word)
    cut = [
        write(tmp_path / "a.pdf", whole[: int(len(whole) * share)]),
        write(tmp_path / "a.docx", word.getvalue()[: int(len(word.getvalue()) * share)]),
    ]
    documents, failures = load(*cut, write(tmp_path / "b.txt", "dopo"))
    assert documents[-1].id == "b.txt"
    assert len(documents) + len(failures) == 3


def test_docx_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("word/document.xml", "w") as entry:
        for _ in range(200):
            entry.write(bytes(1 << 20))
    assert "unpacks to far more" in reason(tmp_path / "a.docx")


def test_docx_opens_no_file_that_its_xml_names(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "the secret word")
    plain = io.BytesIO()
    word = docx.Document()
    word.add_paragraph("visible")
    word.save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(tmp_path / "a.docx", "w") as target:
        for item in source.infolist():
            data = source.read(item)
            if item.filename == "word/document.xml":
                doctype = f'<!DOCTYPE d [<!ENTITY x SYSTEM "file://{secret}">]><w:document'.encode()
                data = data.replace(b"<w:document", doctype, 1).replace(b"visible", b"visible &x;")
            target.writestr(item, data)
    documents, _ = load(tmp_path / "a.docx")
    assert all("secret" not in document.text for document in documents)


def test_corpus_lines_are_documents_and_bad_lines_are_told(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "one", "title": "Uno", "text": "Testo uno.", "language": "it", "date": "2024-01-02"}),
        "not json",
        json.dumps({"id": "two", "text": "Text two.", "source": "https://example.org"}),
        json.dumps({"id": "one", "text": "again"}),
        json.dumps({"text": "no id"}),
        json.dumps({"id": "three", "text": " "}),
        "[" * 100_000,
        "",
        json.dumps({"id": 4, "title": None, "text": "Quattro", "date": None}),
    ]
    corpus = write(tmp_path / "c.jsonl", "\n".join(lines))
    documents, failures = load(corpus)
    assert [document.id for document in documents] == ["one", "two", "4"]
    assert (documents[0].published, documents[0].title, documents[1].source) == (
        "2024-01-02",
        "Uno",
        "https://example.org",
    )
    assert [failure.path for failure in failures] == [f"{corpus}, line {n}" for n in (2, 4, 5, 6, 7)]
    assert failures[1].reason == "repeats the id 'one' of line 1"


def test_folder_is_walked_in_order_without_hidden_files_and_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("b.txt", "a/z.md", "a/.hidden.txt", ".git/x.txt", "c.xyz"):
        write(root / name, "testo")
    write(tmp_path / "outside.txt", "fuori")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.txt")
    found = find_files([root])
    assert [file.id for file in found.files] == ["b.txt", "a/z.md"]
    assert {Path(f.path).name: f.reason.split(" (")[0] for f in found.skipped} == {
        "c.xyz": "is of no kind that fonte reads",
        "link.txt": "is a symbolic link",
        "loop": "is a symbolic link",
        "pipe.txt": "is not a regular file",
    }


def test_named_paths_that_cannot_be_read_are_all_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    named = [tmp_path / "missing.txt", write(tmp_path / "a.xyz", "x"), Path("/dev/null"), tmp_path / "empty"]
    documents, failures = load(*named, write(tmp_path / "ok.txt", "bene"))
    assert [failure.path for failure in failures] == [str(path) for path in named]
    assert [document.id for document in documents] == ["ok.txt"]


def test_same_file_named_twice_is_read_once(tmp_path: Path) -> None:
    file = write(tmp_path / "d/a.txt", "testo")
    assert [found.id for found in find_files([tmp_path / "d", file, tmp_path / "d/../d/a.txt"]).files] == ["a.txt"]


def test_file_name_that_could_harm_a_terminal_is_escaped(tmp_path: Path) -> None:
    write(tmp_path / "a\x1b[31m\n\u202e.txt", "testo")
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("altro")
    documents, failures = load(tmp_path)
    assert [document.id for document in documents] == ["a\\x1b[31m\\n\\u202e.txt", "\\udcff.txt"]
    assert all(document.source.isprintable() for document in documents)
    assert failures == []


def test_too_large_a_file_says_which_option_raises_the_limit(tmp_path: Path) -> None:
    large = write(tmp_path / "a.txt", b"testo " * 400_000)
    documents, (failure,) = load(large, max_file_mb=1)
    assert documents == []
    assert failure.reason == "is 2 MB, over the limit of 1 MB: raise it with --max-mb 3"


def test_unreadable_file_is_told_with_the_systems_reason(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", "testo")
    found = find_files([file])
    file.unlink()
    failures: list[Failure] = []
    assert list(load_documents(found.files, on_failure=failures.append)) == []
    assert "No such file" in failures[0].reason


def test_unchanged_file_is_not_parsed_again(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", "testo")
    held = {"a.txt": load_one(file).sha256}
    assert [document for _, document in load_documents(find_files([file]).files, on_failure=print, held=held)] == [None]
    file.write_text("cambiato")
    ((_, document),) = load_documents(find_files([file]).files, on_failure=print, held=held)
    assert document and document.text == "cambiato"


def test_reader_that_takes_too_long_or_dies_is_replaced(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", "testo")
    source = SourceFile(file, "a.txt")
    with _Reader(0.001) as reader:
        with pytest.raises(UnreadableFile, match=r"takes longer than 0\.001 seconds"):
            list(reader.read(source, 32))
        reader._timeout_s = 60
        assert len(list(reader.read(source, 32))) == 1
        assert reader._child
        reader._child.kill()
        reader._child.wait()
        with pytest.raises(UnreadableFile, match="makes its reader crash"):
            list(reader.read(source, 32))
        assert len(list(reader.read(source, 32))) == 1


def test_python_files_beside_the_user_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("json", "docx", "index"):
        write(tmp_path / f"{module}.py", f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert load_one(write(tmp_path / "a.txt", "testo")).text == "testo"
    assert not (tmp_path / "ran").exists()


def test_a_gold_file_beside_the_documents_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A mill\n\nIt grinds.")
    (tmp_path / "gold.jsonl").write_text('{"id": "q1", "question": "What does it do?", "answers": ["grind"]}\n')
    found = find_files([tmp_path])
    assert [file.id for file in found.files] == ["a.md"]
    assert [skipped.reason for skipped in found.skipped] == ["holds questions, not documents"]
