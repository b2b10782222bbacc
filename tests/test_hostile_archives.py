"""ZIP-based documents that mean harm or are damaged: each gets a verdict, and the process that asked lives on."""

import pickle
import random
import re
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import docx
import openpyxl
import pptx
import psutil
import pytest
from lxml import etree
from test_load import load, load_one, pdf, reason
from test_office_formats import (
    CHAPTER,
    book,
    changed,
    open_document,
    packed,
    part,
    saved,
    word,
)

from index import parse
from index.errors import UnreadableFile
from index.formats.archive import MOST_ENTRIES, MOST_SHEET_BYTES, MOST_UNPACKED_BYTES
from index.load import SourceFile, _Reader

TEXT = "Il mulino di Borgo fu costruito nel 1820."
MAIN = {
    "docx": "word/document.xml",
    "pptx": "ppt/slides/slide1.xml",
    "xlsx": "xl/worksheets/sheet1.xml",
    "odt": "content.xml",
    "epub": "OEBPS/book.opf",
}
BOMB = 20 << 20  # bytes; in a file of some 60 KB


def tell(tried: int, what: str) -> None:
    print(f"{what}: {tried} tried, {tried} survived; 0 failures in {tried}: at most {3 / tried:.1%}")


@pytest.fixture(scope="module")
def good() -> dict[str, bytes]:
    """Return a small document of each kind that says TEXT."""
    show = pptx.Presentation()
    show.slides.add_slide(show.slide_layouts[5]).shapes.title.text = TEXT
    sheet = openpyxl.Workbook()
    sheet.active.append([TEXT])
    return {
        "docx": word(f"<w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p>"),
        "pptx": saved(show),
        "xlsx": saved(sheet),
        "odt": open_document(f"<text:p>{TEXT}</text:p>"),
        "epub": book(CHAPTER.replace("Capo primo", TEXT)),
    }


@pytest.fixture(params=list(MAIN))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def test_bomb_in_the_main_part_is_refused(tmp_path: Path, kind: str, good: dict[str, bytes]) -> None:
    """Case A6, flat."""
    main = part(good[kind], MAIN[kind])
    bomb = changed(good[kind], {MAIN[kind]: main + b" " * BOMB})
    assert len(bomb) < 200_000
    assert reason(write(tmp_path, f"a.{kind}", bomb)) == "unpacks to far more than a document would"


def test_bomb_beside_the_text_is_never_unpacked(tmp_path: Path, kind: str, good: dict[str, bytes]) -> None:
    """Case A6, nested: an archive in the archive, and pictures, are not opened."""
    inner = packed({f"{i}.bin": bytes(BOMB) for i in range(3)})
    bomb = changed(good[kind], {"word/embeddings/a.zip": inner * 5, "media/image1.png": bytes(3 * BOMB)})
    assert TEXT in load_one(write(tmp_path, f"a.{kind}", bomb)).text


def _central(data: bytes, name: str) -> int:
    """Return where the archive's list of parts tells of `name`."""
    at = data.index(b"PK\x01\x02")
    while data[at + 46 : at + 46 + len(name)] != name.encode():
        at = data.index(b"PK\x01\x02", at + 1)
    return at


def _patched(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


def test_part_that_lies_about_its_size_is_refused(tmp_path: Path, kind: str, good: dict[str, bytes]) -> None:
    """Case A6, lying sizes: what is declared small must not be large, and the other way round."""
    bomb = changed(good[kind], {MAIN[kind]: part(good[kind], MAIN[kind]) + b" " * BOMB})
    small = _patched(bomb, _central(bomb, MAIN[kind]) + 24, 1000)
    large = _patched(good[kind], _central(good[kind], MAIN[kind]) + 24, MOST_SHEET_BYTES + 1)
    assert reason(write(tmp_path, f"small.{kind}", small)).startswith("is damaged")
    if kind == "epub":  # there any name may be one of a picture, so only what is read is counted
        assert TEXT in load_one(write(tmp_path, f"large.{kind}", large)).text
    else:
        assert reason(write(tmp_path, f"large.{kind}", large)).startswith("unpacks to far more")


def test_parts_that_overlap_are_refused(tmp_path: Path, kind: str, good: dict[str, bytes]) -> None:
    """Case A6, overlapping entries."""
    data = good[kind]
    first = zipfile.ZipFile(write(tmp_path, "whole", data)).filelist[0].filename
    start = struct.unpack_from("<I", data, _central(data, first) + 42)[0]
    overlapping = _patched(data, _central(data, MAIN[kind]) + 42, start)
    assert "overlap" in reason(write(tmp_path, f"a.{kind}", overlapping))


def test_too_many_parts_are_refused(tmp_path: Path, good: dict[str, bytes]) -> None:
    """Case A6, many entries."""
    many = changed(good["docx"], {f"x/{i}": b"" for i in range(MOST_ENTRIES)})
    assert "parts, far more than a document would" in reason(write(tmp_path, "a.docx", many))


def test_text_that_grows_while_it_is_read_is_refused(tmp_path: Path, good: dict[str, bytes]) -> None:
    """A shared string of a sheet can be shown a million times: the file is small, and so is what it unpacks to."""
    content = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rows = '<row><c t="s"><v>0</v></c></row>' * 3000
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    data = good["xlsx"]
    rels = part(data, "xl/_rels/workbook.xml.rels").replace(
        b"</Relationships>",
        f'<Relationship Id="s1" Type="{kind}" Target="sharedStrings.xml"/></Relationships>'.encode(),
    )
    types = part(data, "[Content_Types].xml").replace(
        b"</Types>",
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        b'spreadsheetml.sharedStrings+xml"/></Types>',
    )
    bomb = changed(
        data,
        {
            "[Content_Types].xml": types,
            "xl/_rels/workbook.xml.rels": rels,
            "xl/sharedStrings.xml": f'<sst xmlns="{content}"><si><t>{"parola " * 4000}</t></si></sst>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{content}"><sheetData>{rows}</sheetData></worksheet>',
        },
    )
    assert "characters of text" in reason(write(tmp_path, "a.xlsx", bomb))


def test_slide_that_is_named_many_times_is_read_once(tmp_path: Path, good: dict[str, bytes]) -> None:
    listed = part(good["pptx"], "ppt/presentation.xml")
    slide = re.search(rb"<p:sldId [^>]*/>", listed)
    assert slide
    repeated = changed(good["pptx"], {"ppt/presentation.xml": listed.replace(slide[0], slide[0] * 1000)})
    read = load_one(write(tmp_path, "a.pptx", repeated))
    assert (read.text, len(read.pages)) == (f"# {TEXT}\n\n", 1)


def test_row_numbers_without_end_are_refused(tmp_path: Path, good: dict[str, bytes]) -> None:
    content = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rows = f'<row r="1"><c><v>1</v></c></row><row r="{10**12}"><c><v>2</v></c></row>'
    sheet = f'<worksheet xmlns="{content}"><sheetData>{rows}</sheetData></worksheet>'
    bomb = changed(good["xlsx"], {MAIN["xlsx"]: sheet})
    assert "more rows than a sheet can have" in reason(write(tmp_path, "a.xlsx", bomb))


def filled(data: bytes, piece: bytes, count: int) -> bytes:
    """Return a Word document in which a piece of XML is repeated."""
    main = part(data, MAIN["docx"])
    return changed(data, {MAIN["docx"]: main.replace(b"</w:body>", piece * count + b"</w:body>")})


def test_largest_document_that_is_let_in_fits_into_the_memory_of_the_child(
    tmp_path: Path, good: dict[str, bytes]
) -> None:
    """Case A6: as many elements as the limits allow, with random attributes, so that no ratio gives them away."""
    seed = random.Random(6)
    piece = b"".join(b'<a b="%x"/>' % seed.getrandbits(40) for _ in range(50_000))
    data = filled(good["docx"], piece, (MOST_UNPACKED_BYTES - (1 << 20)) // len(piece))
    file = SourceFile(write(tmp_path, "a.docx", data), "a.docx")
    with _Reader(timeout_s=60) as reader:
        (read,) = reader.read(file, 1000)
        assert reader._child
        peak = _peak_bytes(reader._child.pid)
    print(f"{len(data) >> 20} MB of Word that unpack to {MOST_UNPACKED_BYTES >> 20} MB: {peak >> 20} MB in the child")
    assert read["text"] == TEXT
    assert peak < parse.MEMORY_BYTES


def test_document_that_takes_too_long_is_given_up(tmp_path: Path, good: dict[str, bytes]) -> None:
    """Case A6: 400,000 short paragraphs, and after them a document that is read."""
    data = filled(good["docx"], b"<w:p><w:r><w:t>a</w:t></w:r></w:p>", 400_000)
    assert len(data) < 100_000
    paths = [write(tmp_path, "a.docx", data), write(tmp_path, "b.docx", good["docx"])]
    with _Reader(timeout_s=1) as reader:
        with pytest.raises(UnreadableFile, match="takes longer than 1 seconds to read"):
            list(reader.read(SourceFile(paths[0], "a"), 32))
        reader._timeout_s = 20
        assert [entry["text"] for entry in reader.read(SourceFile(paths[1], "b"), 32)] == [TEXT]


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return int(psutil.Process(pid).memory_info().rss)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def test_names_that_lead_outside_write_nothing_anywhere(tmp_path: Path, kind: str, good: dict[str, bytes]) -> None:
    """Case A7: parent folders, absolute paths, Windows paths, links; the text is read all the same."""
    outside = tmp_path / "outside"
    evil = ["../../../evil", str(outside / "evil"), "..\\evil", "C:\\evil", "word/../../evil", "..", "/", "a/./../../b"]
    data = changed(good[kind], dict.fromkeys(evil, b"evil"))
    path = write(tmp_path / "in", f"a.{kind}", data)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.xml")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    if kind in ("docx", "pptx", "xlsx"):  # there a part named .xml must be XML
        assert reason(path).endswith("is not XML")
        path.write_bytes(data)
    assert TEXT in load_one(path).text
    assert sorted(found.name for found in tmp_path.rglob("*")) == [f"a.{kind}", "in"]
    tell(len(evil) + 1, f"names that lead outside, {kind}")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused(tmp_path: Path, kind: str, good: dict[str, bytes]) -> None:
    """Case A7: programs differ on which of them counts, so one would see what another does not."""
    path = write(tmp_path, f"a.{kind}", good[kind])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MAIN[kind], part(good[kind], MAIN[kind]))
    assert reason(path).startswith("holds two parts of the name")


@pytest.fixture
def witness() -> Iterator[Callable[[], int]]:
    """A server on this computer: a function that says how often somebody has called, beginning with its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        def calls() -> int:
            count = 0
            while True:
                try:
                    server.accept()[0].close()
                except BlockingIOError:
                    return count
                count += 1

        calls.port = server.getsockname()[1]  # type: ignore[attr-defined]
        yield calls


def declarations(secret: Path, port: int) -> dict[str, str]:
    laughs = '<!ENTITY x "ha">' + "".join(f'<!ENTITY x{i} "{(f"&x{i - 1};" if i else "&x;") * 10}">' for i in range(12))
    return {
        "file": f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]>',
        "socket": f'<!DOCTYPE d [<!ENTITY x SYSTEM "http://127.0.0.1:{port}/x">]>',
        "dtd": f'<!DOCTYPE d SYSTEM "http://127.0.0.1:{port}/d.dtd">',
        "parameter": f'<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1:{port}/p"> %p; <!ENTITY x "y">]>',
        "laughs": f"<!DOCTYPE d [{laughs}]>",
    }


PARTS = {
    "docx": ["word/document.xml", "docProps/core.xml", "word/styles.xml", "[Content_Types].xml", "_rels/.rels"],
    "pptx": ["ppt/slides/slide1.xml", "docProps/core.xml", "ppt/presentation.xml", "ppt/_rels/presentation.xml.rels"],
    "xlsx": ["xl/worksheets/sheet1.xml", "docProps/core.xml", "xl/workbook.xml", "xl/styles.xml"],
    "odt": ["content.xml", "styles.xml", "meta.xml", "META-INF/manifest.xml"],
    "epub": ["OEBPS/book.opf", "META-INF/container.xml", "OEBPS/cap 0.xhtml"],
}


def test_xml_opens_no_file_and_no_socket_and_does_not_grow(
    tmp_path: Path, kind: str, good: dict[str, bytes], witness: Callable[[], int]
) -> None:
    """Case A8: external entities, external DTDs and a billion laughs, in each part that is read, in two encodings."""
    secret = write(tmp_path, "secret", b"parola segreta")
    files = []
    for name in PARTS[kind]:
        content = part(good[kind], name).decode()
        body = content[content.index("?>") + 2 :] if content.startswith("<?xml") else content
        body = body.replace("<!DOCTYPE html>", "")
        for how, doctype in declarations(secret, witness.port).items():  # type: ignore[attr-defined]
            entity = "&x11;" if how == "laughs" else "&x;"
            text = doctype + body.replace(TEXT, TEXT + entity).replace("Il mulino</dc", f"Il mulino{entity}</dc")
            for encoding in ("utf-8", "utf-16"):
                hostile = (f'<?xml version="1.0" encoding="{encoding}"?>' + text).encode(encoding)
                file = f"{name.replace('/', '_')}-{how}-{encoding}.{kind}"
                files.append(write(tmp_path / "in", file, changed(good[kind], {name: hostile})))
    documents, failures = load(*files, timeout_s=20)
    assert len(documents) + len(failures) == len(files)
    assert all(len(document.text) < 1000 and "segreta" not in repr(document) for document in documents)
    assert all("segreta" not in str(failure) for failure in failures)
    assert all("longer than" not in failure.reason and "crash" not in failure.reason for failure in failures)
    # A chapter is read as HTML, in which a declaration means nothing; nothing is taken from a manifest.
    harmless = {"epub": "cap 0", "odt": "manifest"}.get(kind, "nothing")
    assert all(harmless in document.id for document in documents)
    assert witness() == 0
    tell(len(files), f"entities in {kind}")


def impostors(tmp_path: Path, good: dict[str, bytes]) -> dict[str, bytes]:
    a_pdf = pdf(tmp_path / "a.pdf", ["Testo."]).read_bytes()
    return {
        "ELF": b"\x7fELF\x02\x01\x01" + bytes(100),
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "GGUF": b"GGUF\x03\x00\x00\x00" + bytes(100),
        "pickle": pickle.dumps({"a": 1}),
        "OLE": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
        "text": TEXT.encode(),
        "HTML": b"<html><body>ciao</body></html>",
        "PDF": a_pdf,
        "an archive": packed({"a.txt": TEXT}),
        "an empty archive": packed({}),
        "a Java archive": packed({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0", "A.class": b"\xca\xfe\xba\xbe"}),
        "gzip": zlib.compress(TEXT.encode(), wbits=31),
        "PDF and Word": a_pdf + good["docx"],
        "HTML and book": b"<html>" + good["epub"],
        "ods": open_document(kind="spreadsheet"),
        **good,
    }


def test_kind_is_told_by_content_and_never_by_name(tmp_path: Path, kind: str, good: dict[str, bytes]) -> None:
    """Case A14: programs, pictures, weights, other documents and files that are two things at once."""
    others = {name: data for name, data in impostors(tmp_path, good).items() if name != kind}
    paths = [write(tmp_path / "in", f"{name}.{kind}", data) for name, data in others.items()]
    documents, failures = load(*paths)
    assert documents == []
    assert [failure.path for failure in failures] == [str(path) for path in paths]
    assert all(failure.reason.startswith("is not a") for failure in failures)
    for failure in failures:
        name = Path(failure.path).stem
        if name in good:
            assert failure.reason.endswith(f"to be named .{name}")
    tell(len(paths), f"impostors named .{kind}")


def test_encrypted_document_says_so(tmp_path: Path, good: dict[str, bytes]) -> None:
    office = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    entry = '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry>'
    flagged = good["docx"]
    at = _central(flagged, MAIN["docx"]) + 8
    flagged = flagged[:at] + b"\x01\x00" + flagged[at + 2 :]
    for name, data in {"a.docx": office, "a.xlsx": office, "b.docx": flagged,
                       "a.odt": open_document(manifest=entry)}.items():  # fmt: skip
        assert reason(write(tmp_path, name, data)).startswith("is encrypted")


def test_packing_that_no_office_program_uses_is_refused(tmp_path: Path, good: dict[str, bytes]) -> None:
    path = tmp_path / "a.docx"
    with (
        zipfile.ZipFile(write(tmp_path, "whole", good["docx"])) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert "no office program" in reason(path)


def test_document_of_pictures_alone_holds_no_text(tmp_path: Path) -> None:
    """Case A5: said, and not taken for an empty document."""
    document = docx.Document()
    document.core_properties.title = "Scansione"
    pixel = (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\2\0\1H\xaf\xa4q"
        b"\0\0\0\0IEND\xaeB`\x82"
    )
    document.add_picture(str(write(tmp_path, "p.png", pixel)))
    document.save(str(tmp_path / "a.docx"))
    assert reason(tmp_path / "a.docx") == "holds no text"


def test_document_cut_short_at_any_point_is_refused(tmp_path: Path, kind: str, good: dict[str, bytes]) -> None:
    """Case A15: every hundredth of its length, nothing, one byte, and white space."""
    data = good[kind]
    cuts = {len(data) * i // 100 for i in range(100)} | {1, 2, 3, 4, len(data) - 1}
    paths = [write(tmp_path / "in", f"{cut}.{kind}", data[:cut]) for cut in sorted(cuts)]
    paths.append(write(tmp_path / "in", f"white.{kind}", b" \n\t " * 20))
    documents, failures = load(*paths)
    assert documents == []
    assert [failure.path for failure in failures] == [str(path) for path in paths]
    assert all(failure.reason.startswith(("is damaged", "is empty", "is not a")) for failure in failures)
    assert sum("crash" in failure.reason or "longer" in failure.reason for failure in failures) == 0
    tell(len(paths), f"{kind} cut short")


def mutants(data: bytes, kind: str, count: int) -> Iterator[bytes]:
    """Yield copies with 0.1 to 5 % of their bytes changed (anywhere, or inside an unpacked part), or of their XML."""
    seed = random.Random(f"{kind} 16")
    names = [name for name in PARTS[kind] if name != "META-INF/manifest.xml"]
    for i in range(count):
        share = 10 ** seed.uniform(-3, -1.3)
        name = seed.choice(names)
        if i % 3 == 0:
            yield _mutated(data, share, seed)
        elif i % 3 == 1:
            yield changed(data, {name: _mutated(part(data, name), share, seed)})
        else:
            yield changed(data, {name: _rebuilt(part(data, name), share, seed)})


def _rebuilt(data: bytes, share: float, seed: random.Random) -> bytes:
    """Return well-formed XML with elements left out, doubled, moved or renamed, and attributes that make no sense."""
    root = etree.fromstring(data, etree.XMLParser(recover=True))  # a chapter may name entities of HTML
    for _ in range(max(1, round(len(list(root.iter())) * share))):
        elements = list(root.iter("*"))
        one, other = seed.choice(elements), seed.choice(elements)
        how = seed.randrange(5)
        if how == 0 and one is not root:
            one.getparent().remove(one)
        elif how == 1:
            other.append(deepcopy(one))
        elif how == 2 and one is not root and one not in other.iterancestors() and one is not other:
            other.insert(0, one)
        elif how == 3:
            one.tag = other.tag
        else:
            for name in list(one.attrib):
                one.set(name, seed.choice(["", "-1", "99999999999", "x", "../../x", "A1:XFD1048576", "NaN", "0", "€"]))
    return bytes(etree.tostring(root))


def _mutated(data: bytes, share: float, seed: random.Random) -> bytes:
    changed_bytes = bytearray(data)
    for _ in range(max(1, round(len(data) * share))):
        at = seed.randrange(len(changed_bytes))
        how = seed.randrange(3)
        changed_bytes[at] = changed_bytes[at] ^ (1 << seed.randrange(8)) if how else seed.randrange(256)
    return bytes(changed_bytes)


def test_mutants_do_no_harm(tmp_path: Path, good: dict[str, bytes]) -> None:
    """Case A16: through the real child, seeded; each file has one verdict, and those after it are read."""
    paths = [
        write(tmp_path / "in", f"{i:02}.{kind}", mutant)
        for kind, data in good.items()
        for i, mutant in enumerate(mutants(data, kind, 30))
    ]
    last = write(tmp_path / "in", "last.docx", good["docx"])
    documents, failures = load(*paths, last, timeout_s=20)
    verdicts = sorted([document.source for document in documents] + [failure.path for failure in failures])
    assert verdicts == sorted(map(str, [*paths, last]))
    assert documents[-1].text == TEXT
    assert all(document.text.strip() for document in documents)
    assert all("\n" not in failure.reason and len(failure.reason) < 400 for failure in failures)
    dead = [failure for failure in failures if "crash" in failure.reason or "longer" in failure.reason]
    assert dead == []
    tell(len(paths), f"mutants ({len(documents) - 1} read, {len(failures)} refused)")
