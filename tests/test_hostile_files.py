"""Files that are broken or mean harm: the parent lives, each gets a verdict, nothing is silently missing.

The figures that the tests print (pytest -s) are survived of tried; no failure in N tries: at most 3/N at 95 %.
"""

import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pypdf
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from test_formats import PAGES, article, mail
from test_load import ITALIAN, load, load_one, pdf, reason, write

from index import load as loading
from index import parse
from index.errors import UnreadableFile
from index.load import Failure, SourceFile, _Reader, find_files, load_documents

RTF = rb"{\rtf1\ansi\ansicpg1252{\info{\title Un verbale}}\pard Disse: \'abPerch\'e9 no?\'bb\par Fine \u8364?.\par}"
HIDDEN = "\x1b[31m\u202e\u200b\u2066\x07\U000e0041"


@pytest.fixture(scope="module")
def reader() -> Iterator[_Reader]:
    with _Reader(60) as reader:
        yield reader


def verdict(reader: _Reader, path: Path) -> str:
    """Return "read" or the reason why not, through the real child."""
    try:
        entries = list(reader.read(SourceFile(path, path.name), 32))
    except UnreadableFile as error:
        return str(error)
    assert entries
    return "read"


def peak_mb(reader: _Reader) -> float:
    """Return the most memory that the child ever held, in MB; 0 after it died."""
    if reader._child is None:
        return 0
    status = Path(f"/proc/{reader._child.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def seconds_spent(reader: _Reader) -> float:
    """Return the processor time of the child, 0 before it has begun."""
    return psutil.Process(reader._child.pid).cpu_times().user if reader._child else 0


def lives_on(reader: _Reader, folder: Path, answer: str) -> bool:
    """Whether `answer` is a verdict of the child's own, and the next file is read."""
    is_verdict = bool(answer) and "crash" not in answer and "takes longer" not in answer
    return is_verdict and verdict(reader, write(folder / "next.txt", "dopo")) == "read"


def told(name: str, tried: int, survived: int) -> None:
    print(f"{name}: {survived} of {tried} survived (0 failures in {tried}: at most {3 / tried:.2g})")
    assert survived == tried


# PDF by hand: reportlab writes no loops.


def raw_pdf(*objects: bytes, trailer: bytes = b"") -> bytes:
    """Return a PDF of these objects, of which the first is the catalog."""
    data, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, len(data))
    return data + head + table + end


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


CATALOG, PAGE_TREE = b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
SHOWN = b"BT /F1 12 Tf 72 720 Td (visible words) Tj ET"


def one_page(content: bytes, *more: bytes, page: bytes = b"", catalog: bytes = b"", trailer: bytes = b"") -> bytes:
    leaf = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R %s" % page
    leaf += b" /Resources << /Font << /F1 5 0 R >> >> >>"
    root = b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog
    return raw_pdf(root, PAGE_TREE, leaf, content, FONT, *more, trailer=trailer)


def bomb(megabytes: int) -> bytes:
    """Return zeros, packed twice."""
    packer = zlib.compressobj(1)
    once = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()
    return zlib.compress(once, 9)


def hostile_pdfs() -> dict[str, bytes]:
    twice = b"/Filter [/FlateDecode /FlateDecode]"
    cycle = b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 /Parent 2 0 R >>"
    outline = b"<< /First 7 0 R /Last 7 0 R >>", b"<< /Title (a) /Parent 6 0 R /Next 7 0 R /Prev 7 0 R /First 6 0 R >>"
    many = b"<< /Type /Pages /Kids [%s] /Count 100000 >>" % (b"3 0 R " * 100_000)
    ranges = b"".join(b"<%04x> <%04x> <0041>\n" % (n, 65535) for n in range(5_000))
    cmap = b"/CIDInit /ProcSet findresource begin begincmap 5000 beginbfrange\n%s endbfrange endcmap" % ranges
    xmp = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY a%d "%s">' % (n, (b"&a%s;" % (b"%d" % (n - 1) if n else b"")) * 10) for n in range(12)
    )
    font = b"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 6 0 R >>"
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
    runs = stream(zlib.compress(b"\x81a" * 5_000_000), b"/Filter [/FlateDecode /RunLengthDecode]")
    form = stream(b"/X Do", b"/Type /XObject /Subtype /Form /Resources << /XObject << /X 6 0 R >> >>")
    return {
        "flate bomb": one_page(stream(bomb(300), twice)),
        "run length bomb": one_page(runs),
        "page tree in a circle": raw_pdf(CATALOG, cycle, b"<< /Type /Page /Parent 2 0 R >>"),
        "page that is its own parent": raw_pdf(CATALOG, PAGE_TREE, b"<< /Type /Page /Parent 3 0 R >>"),
        "outline in a circle": one_page(stream(SHOWN), *outline, catalog=b"/Outlines 6 0 R"),
        "xref that goes before itself": one_page(stream(SHOWN), trailer=b"/Prev 0"),
        "xref in a circle": one_page(stream(SHOWN)).replace(b"/Size 6", b"/Size 6 /Prev %d" % 470),
        "object stream that holds itself": one_page(
            stream(SHOWN), stream(b"6 0 << >>", b"/Type /ObjStm /N 1 /First 4 /Extends 6 0 R")
        ),
        "contents that name themselves": raw_pdf(
            CATALOG, PAGE_TREE, b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>", b"[4 0 R 4 0 R]"
        ),
        "form that draws itself": one_page(stream(b"/X Do"), form).replace(b"/Font << /F1 5", b"/XObject << /X 6"),
        "inline image without an end": one_page(stream(b"BI /W 1 /H 1 ID " + b"a" * 200_000)),
        "unbalanced operators": one_page(stream(b"q " * 100_000 + b"[" * 50_000)),
        "a hundred thousand pages": raw_pdf(CATALOG, many, b"<< /Type /Page /Parent 2 0 R >>"),
        "huge page": one_page(stream(SHOWN)).replace(b"[0 0 600 800]", b"[0 0 1e300 99999999999999999999]"),
        "huge map of characters": raw_pdf(CATALOG, PAGE_TREE, page, stream(SHOWN), font, stream(cmap)),
        "entities in its metadata": one_page(
            stream(SHOWN), stream(xmp + b"]><x>&a11;</x>", b"/Type /Metadata /Subtype /XML"), catalog=b"/Metadata 6 0 R"
        ),
        "length that lies": one_page(stream(SHOWN).replace(b"/Length", b"/Length 999999999 /Was")),
        "no pages": raw_pdf(CATALOG, b"<< /Type /Pages /Kids [] /Count 0 >>"),
        "no root": raw_pdf(b"null"),
    }  # fmt: skip


def test_hostile_pdfs_cost_little_and_get_a_verdict(tmp_path: Path, reader: _Reader) -> None:
    """Cases A1, A2 and A3: bombs, loops, huge numbers."""
    files = hostile_pdfs()
    survived, peak = 0, 0.0
    for name, data in files.items():
        before = seconds_spent(reader)
        answer = verdict(reader, write(tmp_path / "a.pdf", data))
        spent, peak = seconds_spent(reader) - before, max(peak, peak_mb(reader))
        print(f"{name}: {answer}, {spent:.1f} s")
        survived += lives_on(reader, tmp_path, answer) and spent < 20
    print(f"most memory in the child: {peak:.0f} MB")
    assert peak < 512
    told("hostile PDFs", len(files), survived)


def test_encrypted_pdfs_are_told_apart(tmp_path: Path, reader: _Reader) -> None:
    """Case A4: a user's password, an owner's only, a handler that nobody knows."""
    user = pdf(tmp_path / "a.pdf", ["Segreto."], encrypt=StandardEncryption("parola", strength=128))
    owner = pdf(tmp_path / "b.pdf", ["Non segreto."], encrypt=StandardEncryption("", "padrone", strength=128))
    handler = b"/Encrypt << /Filter /Nobody /V 9 /R 9 >>"
    unknown = write(tmp_path / "c.pdf", one_page(stream(SHOWN), trailer=handler))
    assert verdict(reader, user) == "is encrypted: save a copy without the password and add that"
    assert verdict(reader, owner) == "read"
    assert verdict(reader, unknown).startswith(("is encrypted", "is damaged"))


def test_pdf_whose_only_words_are_its_outline_is_not_taken_for_text(tmp_path: Path, reader: _Reader) -> None:
    """Case A5."""
    outline = b"<< /First 7 0 R /Last 7 0 R >>", b"<< /Title (Chapter one) /Parent 6 0 R >>"
    data = one_page(stream(b""), *outline, catalog=b"/Outlines 6 0 R")
    assert "OCR" in verdict(reader, write(tmp_path / "a.pdf", data))


def test_hostile_web_pages_get_a_verdict(tmp_path: Path, reader: _Reader) -> None:
    """Case A9: nesting, huge attributes, scripts only, addresses to follow."""
    pages = {
        "two thousand tags": "<b>" * 2_000 + "in fondo",
        "many tags": "<b>" * 200_000 + "in fondo",
        "many divisions": "<div>" * 200_000 + "in fondo",
        "lists in lists": "<ul><li>" * 100_000 + "in fondo",
        "tables in tables": "<table><tr><td>" * 50_000 + "in fondo",
        "huge attribute": f'<p title="{"a" * 11_000_000}">in fondo</p>',
        "many attributes": f"<p {' '.join(f'a{n}=1' for n in range(5_000))}>in fondo</p>",
        "open comment": "<p>in fondo<!--" + "-" * 5_000_000,
        "entities": '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><p>in fondo &c;</p>',
        "open tags": "<" * 1_000_000 + "<p>in fondo",
        "structured data, nested": f'<script type="application/ld+json">{"[" * 200_000}</script><p>in fondo</p>',
        "meta tags": '<meta property="og:title" content="x">' * 50_000 + "<p>in fondo</p>",
        "base and refresh": '<base href="http://127.0.0.1:9/"><meta http-equiv="refresh" content="0;url=/x">'
        '<link rel="canonical" href="/x"><p>in fondo</p>',
    }  # fmt: skip
    survived = 0
    for name, html in pages.items():
        answer = verdict(reader, write(tmp_path / "a.html", html))
        print(f"{name}: {answer}")
        survived += lives_on(reader, tmp_path, answer)
    told("hostile pages", len(pages), survived)
    scripts = "<script>var parola = 1</script><style>p {}</style><noscript>accendi</noscript><template>x</template>"
    assert verdict(reader, write(tmp_path / "a.html", scripts)) == "holds no text"


def test_hostile_tables_and_texts_get_a_verdict(tmp_path: Path, reader: _Reader) -> None:
    """Case A10: depth, width, length, and a few lines that stand for billions."""
    aliases = "\n".join(f"{chr(98 + n)}: &{chr(98 + n)} [{f'*{chr(97 + n)},' * 9}]" for n in range(20))
    files = {
        "wide.csv": ",".join(f"colonna{n}" for n in range(10_000)) + "\n" + ",".join(["1"] * 10_000),
        "long.csv": "a,b\n" + "x" * 5_000_000 + ",1\n",
        "open.csv": 'a,b\n1,"' + "x\n" * 500_000,
        "deep.jsonl": '{"id": "a", "text": ' + "[" * 100_000,
        "quotes.md": ">" * 100_000 + " testo\n" + "- " * 100_000 + "[" * 100_000,
        "yaml.md": "---\n" + "[" * 10_000 + "\n---\ntesto",
        "aliases.md": f"---\na: &a [x, x]\n{aliases}\n---\ntesto",
        "line.txt": "parola " * 1_000_000,
        "deep.rtf": "{\\rtf1 " + "{" * 100_000 + "testo" + "}" * 100_000,
        "links.rtf": "{\\rtf1 " + '{\\field{\\*\\fldinst{HYPERLINK "' * 20_000 + "testo}",
        "parts.eml": "Subject: x\nContent-Type: multipart/mixed; boundary=a\n\n"
        + "".join(f"--a\nContent-Type: multipart/mixed; boundary=a{n}\n\n" for n in range(1_000)),
        "nested.eml": "Subject: x\nContent-Type: message/rfc822\n\n" * 2_000 + "testo",
        "headers.eml": "Subject: x\n" + "To: a@b.example,\n" + " a@b.example,\n" * 5_000 + "\ntesto",
    }
    survived = 0
    for name, content in files.items():
        answer = verdict(reader, write(tmp_path / name, content))
        print(f"{name}: {answer}")
        survived += lives_on(reader, tmp_path, answer)
    told("hostile tables and texts", len(files), survived)


def test_table_that_would_swell_is_refused(tmp_path: Path, reader: _Reader) -> None:
    """Case A10: a column's name is repeated in each row, so long names with short values make much of little."""
    names = ",".join(f"{'n' * 55}{n:03}" for n in range(900))
    rows = (",".join(["1"] * 900) + "\n") * 4_000
    answer = verdict(reader, write(tmp_path / "a.csv", f"{names}\n{rows}"))
    assert answer == f"unpacks to more than {parse.MOST_CHARACTERS:,} characters of text"


def test_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """Case A10: a line of 200 MB (a hole: it takes no room)."""
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    assert reason(path) == "is 200 MB, over the limit of 32 MB: raise it with --max-mb 201"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caff\xc0\xaf qui", "caffÀ¯ qui"),  # an overlong slash is not a slash
        (b"\xed\xa0\x80 surrogato", "í\xa0€ surrogato"),
        ("Età e ".encode() * 4 + "città".encode("cp1252"), "Età e " * 4 + "città"),
        (b"\xff\xfe" + ITALIAN.encode("utf-16-le"), ITALIAN),
        (b"\xfe\xff" + ITALIAN.encode("utf-16-be"), ITALIAN),
        (b"\x00\x00\xfe\xff" + ITALIAN.encode("utf-32-be"), ITALIAN),
    ],
)
def test_no_byte_of_an_odd_encoding_is_lost(tmp_path: Path, reader: _Reader, data: bytes, text: str) -> None:
    """Case A11: what is not UTF-8 is read as letters or refused, never dropped. In each kind that holds plain text."""
    assert load_one(write(tmp_path / "a.txt", data)).text == text
    assert load_one(write(tmp_path / "a.md", data)).text == text
    in_table = load_one(write(tmp_path / "a.csv", data)).text
    assert set(text) - set(" ,\xa0") <= set(in_table)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00\xd8" * 9, "testo ".encode("utf-16") + b"\x00", b"\x00\x00\xfe\xffabc"])
def test_broken_wide_encoding_is_refused(tmp_path: Path, reader: _Reader, data: bytes) -> None:
    """Case A11: half a surrogate, half a character."""
    assert verdict(reader, write(tmp_path / "a.txt", data)) != "read"


def test_nothing_hidden_comes_through_any_format(tmp_path: Path) -> None:
    """Cases A12 and A13: terminal escapes, direction marks, tags, in text and in metadata."""
    word, rest = f"par{HIDDEN}ola", "Una riga che si legge. " * 20
    name = f'<meta name="author" content="{word} {word}">'
    files = {
        "a.txt": f"Title: {word}\nAuthor: {word}\n\n{word} {rest}",
        "a.md": f'---\ntitle: "par\\e[31m\\u202eola"\nauthor: "par\\u200bola"\n---\n{word} {rest}',
        "a.html": article(f'<meta property="og:title" content="{word}">{name}', f"<p>{word}</p>"),
        "a.csv": f"{word},b\n{word},2\n{rest},3",
        "a.eml": f"Subject: {word}\nFrom: {word} <a@b.example>\nDate: {word}\n\n{word} {rest}",
        "a.jsonl": f'{{"id": "x\\u202e", "title": "par\\u001b[31mola", "text": "par\\u202e\\u0007ola {rest}"}}',
        "a.rtf": r"{\rtf1{\info{\title par\u8238?\u8203?ola}}par\u8238?\u8203?\u27?[31mola}",
    }
    for name, content in files.items():
        write(tmp_path / name, content)
    documents, failures = load(tmp_path)
    assert failures == []
    assert len(documents) == len(files)
    for document in documents:
        shown = (document.id, document.text, document.title, document.author, document.outlet, document.source)
        assert not set("".join(shown)) & set(HIDDEN.replace("[31m", "")), document.id
        assert "parola" in document.text, document.id


def seeds() -> dict[str, bytes]:
    """Return a small good file of each kind."""
    return {
        ".txt": f"Titolo: Uno\nData: 2024-03-25\n\n{ITALIAN}\n".encode(),
        ".md": f"---\ntitle: Uno\ndate: 2024-03-25\n---\n# Uno\n\n{ITALIAN}\n".encode(),
        ".html": (PAGES / "avviso.html").read_bytes(),
        ".mhtml": mail(html=article()).as_bytes(),
        ".csv": f'nome;quota\nAnna;1,5\n"Ugo";{ITALIAN}\n'.encode(),
        ".tsv": b"nome\tquota\nAnna\t1\n",
        ".eml": mail("Ci vediamo alle nove.", "<p>Ci vediamo</p>").as_bytes(),
        ".rtf": RTF,
        ".jsonl": b'{"id": "a", "title": "Uno", "text": "Testo.", "date": "2024-03-25"}\n{"id": "b", "text": "Due"}\n',
        ".pdf": one_page(stream(zlib.compress(SHOWN), b"/Filter /FlateDecode")),
    }


def test_file_cut_anywhere_gets_a_verdict(tmp_path: Path, reader: _Reader) -> None:
    """Case A15: empty, one byte, white space only, cut anywhere."""
    tried = survived = 0
    for suffix, data in seeds().items():
        assert verdict(reader, write(tmp_path / f"whole{suffix}", data)) == "read"
        cuts = {data[: len(data) * part // 30] for part in range(30)}
        for cut in {*cuts, b"", data[:1], b" \n\t\r\n"}:
            answer = verdict(reader, write(tmp_path / f"cut{suffix}", cut))
            tried += 1
            survived += lives_on(reader, tmp_path, answer)
    told("cut files", tried, survived)


def mutant(data: bytes, random_: random.Random) -> bytes:
    """Return `data` with 0.1 to 5 % of its bits turned, or a piece moved, repeated, or taken out."""
    changed = bytearray(data)
    kind = random_.choice(("bits", "bits", "bits", "repeat", "drop", "swap"))
    if kind == "bits":
        for _ in range(max(1, int(len(data) * 8 * random_.uniform(0.001, 0.05)))):
            changed[random_.randrange(len(changed))] ^= 1 << random_.randrange(8)
        return bytes(changed)
    start = random_.randrange(len(changed))
    end = min(len(changed), start + random_.randint(1, 200))
    piece = changed[start:end]
    if kind == "repeat":
        changed[start:start] = piece * random_.randint(1, 50)
    else:
        del changed[start:end]
        if kind == "swap":
            changed += piece
    return bytes(changed)


def test_mutants_of_every_kind_are_survived(tmp_path: Path, reader: _Reader) -> None:
    """Case A16: 20 seeded mutants of each kind through the real child (FONTE_MUTANTS asks for more)."""
    count = int(os.environ.get("FONTE_MUTANTS", "20"))
    tried = survived = 0
    for suffix, data in seeds().items():
        random_ = random.Random(suffix)
        for number in range(count):
            changed = mutant(data, random_)
            answer = verdict(reader, write(tmp_path / f"mutant{suffix}", changed))
            tried += 1
            lives = lives_on(reader, tmp_path, answer)
            survived += lives
            if not lives:
                print(f"mutant {number} of {suffix}: {answer}")
    told("mutants", tried, survived)


def test_nothing_outside_the_folder_is_followed(tmp_path: Path) -> None:
    """Case A17: links, pipes, devices, /proc, a loop; and a file that becomes one of them after it was found."""
    root, outside = tmp_path / "root", write(tmp_path / "outside.txt", "segreto")
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        write(root / name, "testo")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "proc.txt").symlink_to("/proc/self/environ")
    (root / "null.txt").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.txt")
    os.link(root / "a.txt", root / "hard.txt")  # of the user's own: a file like any other
    found = find_files([root])
    assert [file.id for file in found.files] == ["a.txt", "b.txt", "c.txt", "d.txt", "hard.txt"]
    for name in ("b.txt", "c.txt", "d.txt"):
        (root / name).unlink()
    (root / "b.txt").symlink_to(outside)
    os.mkfifo(root / "c.txt")
    (root / "d.txt").mkdir()
    failures: list[Failure] = []
    loaded = [document for _, document in load_documents(found.files, on_failure=failures.append)]
    assert [document and document.id for document in loaded] == ["a.txt", "hard.txt"]
    assert [str(failure) for failure in failures] == [
        f"{root}/b.txt is a symbolic link",
        f"{root}/c.txt is not a regular file",
        f"{root}/d.txt cannot be read: Is a directory",
    ]


def test_link_that_the_user_names_is_followed(tmp_path: Path) -> None:
    """Case A17: naming it is asking for it."""
    (tmp_path / "link.txt").symlink_to(write(tmp_path / "a.txt", "testo"))
    assert load_one(tmp_path / "link.txt").id == "link.txt"


def test_odd_names_are_kept_apart_and_shown_escaped(tmp_path: Path) -> None:
    """Case A18."""
    names = ["a" * 251 + ".txt", "con.txt", "-rf.txt", "--data.txt", "a\nb.txt", "\u202etxt.exe.txt",
             "<img src=x>.txt", "x..%2f..%2fx.txt", "a'b\"c.txt", "ùnico.txt", " .txt",
             os.fsdecode(b"\xff\xfe.txt")]  # fmt: skip
    for name in names:
        write(tmp_path / name, "testo")
    documents, failures = load(tmp_path)
    assert failures == []
    assert len({document.id for document in documents}) == len(names)
    assert all(document.id.isprintable() and document.source.isprintable() for document in documents)
    assert "\\u202etxt.exe.txt" in {document.id for document in documents}


def test_file_that_goes_or_changes_while_others_are_read_is_told(tmp_path: Path) -> None:
    """Case A19: deleted, emptied, grown, and (unless root asks) forbidden while its folder is read."""
    for name in ("a", "b", "c", "d", "e"):
        write(tmp_path / f"{name}.txt", f"testo {name}")
    failures: list[Failure] = []
    loaded = load_documents(find_files([tmp_path]).files, on_failure=failures.append, max_file_mb=1)
    ids = [document.id for _, document in [next(loaded)] if document]
    (tmp_path / "b.txt").unlink()
    (tmp_path / "c.txt").write_text("")
    (tmp_path / "d.txt").write_bytes(b"testo " * 200_000)
    ids += [document.id for _, document in loaded if document]
    assert ids == ["a.txt", "e.txt"]
    assert [failure.reason.split(":")[0] for failure in failures] == [
        "cannot be read",
        "is empty",
        "is 1 MB, over the limit of 1 MB",
    ]
    documents, _ = load(tmp_path)
    assert [document.id for document in documents] == ["a.txt", "d.txt", "e.txt"]


def test_report_names_exactly_the_bad_files_of_a_thousand(tmp_path: Path) -> None:
    """Case A20: 1,000 files, of which 100 are bad in ten ways."""
    good_seeds = [(suffix, seeds()[suffix]) for suffix in (".txt", ".md", ".csv", ".tsv", ".rtf")]
    bad_seeds = [(".txt", b""), (".txt", b"\x7fELF" + bytes(90)), (".md", b"\x89PNG\r\n"), (".csv", b" \n"),
                 (".pdf", b"%PDF-1.7 and no more"), (".rtf", b"testo"), (".eml", b"testo"), (".html", b"<script>x"),
                 (".mht", b"\n\nno page"), (".docx", b"PK\x03\x04")]  # fmt: skip
    bad = set()
    for number in range(1_000):
        is_bad = number % 10 == 3
        suffix, data = (bad_seeds if is_bad else good_seeds)[number // 10 % (10 if is_bad else 5)]
        path = write(tmp_path / f"{number // 100}" / f"{number}{suffix}", data)
        if is_bad:
            bad.add(str(path))
    documents, failures = load(tmp_path)
    print(f"1,000 files: {len(documents)} read, {len(failures)} told")
    assert len(documents) == 900
    assert len(failures) == len(bad) == 100
    assert {failure.path for failure in failures} == bad


# The limits themselves.


def limited(code: str) -> "subprocess.CompletedProcess[str]":
    """Run `code` in a process with the limits of the one that parses."""
    start = "from index import parse; parse._limit_process(); parse._limit_processor_seconds(1)\n"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, timeout=60)


def test_child_gets_no_more_memory_time_or_room_on_the_disk_than_it_may(tmp_path: Path) -> None:
    assert "MemoryError" in limited(f"bytearray({parse.MEMORY_BYTES})").stderr
    assert limited("while True: pass").returncode == -24  # SIGXCPU
    assert "OSError" in limited(f"open({str(tmp_path / 'a')!r}, 'wb', buffering=0).write(b'x')").stderr
    assert (tmp_path / "a").stat().st_size == 0


@pytest.mark.parametrize(
    ("code", "told_of"),
    [
        ("import sys; sys.stdout.buffer.write(b'\\xff' * 8); sys.stdout.flush(); input()", "crash"),
        ("import sys; sys.stdout.buffer.write((1 << 20).to_bytes(8, 'little') + b'x'); sys.stdout.flush()", "crash"),
        ("import sys; sys.stdout.buffer.write((9).to_bytes(8, 'little') + b'not json!'); sys.stdout.flush()", "crash"),
        ("import sys; sys.stdout.buffer.write((2).to_bytes(8, 'little') + b'{}'); sys.stdout.flush()", "crash"),
        ("import time; time.sleep(60)", "takes longer than 1 seconds"),
        ("raise SystemExit(3)", "crash"),
    ],
    ids=[
        "says it sends too much",
        "sends less than it says",
        "sends nonsense",
        "sends no reply",
        "sends nothing",
        "is gone",
    ],
)
def test_reader_that_misbehaves_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told_of: str
) -> None:
    start: Callable[[str], object] = lambda module: subprocess.Popen(  # noqa: E731
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    file = SourceFile(write(tmp_path / "a.txt", "testo"), "a.txt")
    with _Reader(1) as reader:
        with monkeypatch.context() as patched:
            patched.setattr(loading, "start_child", start)
            with pytest.raises(UnreadableFile, match=told_of):
                list(reader.read(file, 32))
        reader._timeout_s = 60
        assert len(list(reader.read(file, 32))) == 1


def test_large_corpus_comes_in_pieces_and_may_be_left_halfway(tmp_path: Path) -> None:
    lines = "".join(f'{{"id": "{n}", "text": "{"parola " * 3_000}"}}\n' for n in range(200))
    corpus = SourceFile(write(tmp_path / "c.jsonl", lines), "c.jsonl")
    plain = SourceFile(write(tmp_path / "a.txt", "testo"), "a.txt")
    with _Reader(60) as reader:
        assert [entry["id"] for entry in reader.read(corpus, 32)] == [str(n) for n in range(200)]
        child = reader._child
        some = reader.read(corpus, 32)
        next(some)
        some.close()  # type: ignore[attr-defined]
        (entry,) = reader.read(plain, 32)
        assert entry["text"] == "testo"
        assert reader._child is not child


def test_owner_only_encryption_of_another_program_is_read(tmp_path: Path, reader: _Reader) -> None:
    """Case A4."""
    writer = pypdf.PdfWriter(clone_from=pdf(tmp_path / "plain.pdf", ["Not secret."]))
    for algorithm in ("RC4-40", "RC4-128", "AES-128", "AES-256"):
        writer.encrypt(user_password="", owner_password="owner", algorithm=algorithm)
        writer.write(tmp_path / f"{algorithm}.pdf")
        assert verdict(reader, tmp_path / f"{algorithm}.pdf") == "read"
