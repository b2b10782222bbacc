"""Documents that are ZIP archives: what kind they are, and their parts, unpacked within limits.

Nothing is ever written, and archives inside the archive are not opened. What an archive says of itself is not trusted:
sizes are counted while unpacking, and the kind is told by what is inside, not by the name of the file.
"""

import io
import posixpath
import re
import zipfile
import zlib
from typing import Any
from xml.parsers import expat

from index.errors import UnreadableFile

KINDS = {
    "docx": "a Word document",
    "pptx": "a PowerPoint presentation",
    "xlsx": "an Excel workbook",
    "odt": "an OpenDocument text",
    "ods": "an OpenDocument spreadsheet",
    "odp": "an OpenDocument presentation",
    "epub": "an EPUB book",
}
MOST_ENTRIES = 20_000
MOST_UNPACKED_BYTES = 64 << 20  # of the parts that are read: as a tree in memory they are 15 times as large
MOST_SHEET_BYTES = 256 << 20  # sheets are read piece by piece
MOST_RATIO = 200  # office documents stay under 30 as a rule, machine-made sheets under 100
_SMALL_BYTES = 16 << 20  # below which no ratio is suspicious
_PIECE_BYTES = 1 << 20
_LOCAL_HEADER_BYTES = 30  # before each part, without its name
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_TOO_LARGE = "unpacks to far more than a document would"
_PASSWORD = "is encrypted: save a copy without the password and add that"
_XML_NAME = re.compile(r"\.(xml|rels)$", re.I)
_UNSAFE_NAME = re.compile(r"^[/\\]|^[A-Za-z]:|\\|(^|/)\.\.(/|$)")
_OFFICE_TYPE = re.compile(
    rb"(wordprocessingml|presentationml|spreadsheetml|ms-word|ms-powerpoint|ms-excel)[\w.-]*\.main\+xml", re.I
)
_OFFICE_KINDS = {"w": "docx", "p": "pptx", "s": "xlsx", "ms-w": "docx", "ms-p": "pptx", "ms-e": "xlsx"}
_MIME_KINDS = {
    "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
}


class Archive:
    """The parts of a document of the wanted kind (a key of `KINDS`).

    Raises UnreadableFile where `data` is something else, encrypted, damaged, or would unpack to more than it may.
    """

    def __init__(self, data: bytes, kind: str) -> None:
        most_bytes = MOST_SHEET_BYTES if kind == "xlsx" else MOST_UNPACKED_BYTES
        self._left_bytes = min(most_bytes, max(_SMALL_BYTES, MOST_RATIO * len(data)))
        self._zip = _open(data, kind)
        self._entries = _entries(self._zip)
        if sum(entry.file_size for name, entry in self._entries.items() if _XML_NAME.search(name)) > self._left_bytes:
            raise UnreadableFile(_TOO_LARGE)
        found = self._kind()
        if found != kind:
            raise UnreadableFile(_is_not(kind, found))

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """Return what is in the part `name`. Raises UnreadableFile, also where there is no such part."""
        if name not in self._entries:
            raise UnreadableFile(f"is damaged: its part {name} is missing")
        pieces = []
        try:
            with self._zip.open(self._entries[name]) as part:
                while piece := part.read(_PIECE_BYTES):
                    self._left_bytes -= len(piece)
                    if self._left_bytes < 0:
                        raise UnreadableFile(_TOO_LARGE)
                    pieces.append(piece)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise UnreadableFile(f"is damaged: its part {name} cannot be unpacked") from error
        return b"".join(pieces)

    def xml(self, name: str) -> Any:
        """Return the root element of the XML part `name` (lxml); it names no entity and no other file."""
        return parse_xml(self.read(name), name)

    def repacked(self) -> io.BytesIO:
        """Return a plain archive of the same XML parts, for a library that would open the original with less care.

        The other parts (pictures, fonts, embedded files) are there and empty, relations to missing ones are gone.
        """
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name in self._entries:
                data = self.read(name) if _XML_NAME.search(name) else b""
                if name.endswith(".rels"):
                    data = self._relations(name, data)
                elif data:
                    refuse_doctype(data, name)
                archive.writestr(name, data)
        target.seek(0)
        return target

    def _relations(self, name: str, data: bytes) -> bytes:
        """Return the relations without those to parts that are not there, which Word forgives and libraries do not."""
        from lxml import etree  # type: ignore[import-untyped]

        root = parse_xml(data, name)
        folder = posixpath.dirname(posixpath.dirname(name))
        for relation in root.findall("{*}Relationship"):
            path = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "")))
            if relation.get("TargetMode") != "External" and path.lstrip("/") not in self:
                root.remove(relation)
        return bytes(etree.tostring(root))

    def _kind(self) -> str:
        if "mimetype" in self:
            declared = self.read("mimetype")[:100].decode("latin-1").strip()
            return _MIME_KINDS.get(declared.removesuffix("-template"), "")
        if "[Content_Types].xml" in self:
            match = _OFFICE_TYPE.search(self.read("[Content_Types].xml"))
            name = match[1].decode().lower() if match else ""
            return _OFFICE_KINDS.get(name[:4] if name.startswith("ms-") else name[:1], "")
        return "epub" if "META-INF/container.xml" in self else ""


def parse_xml(data: bytes, name: str) -> Any:
    """Return the root element of `data` (lxml). Raises UnreadableFile where the part `name` is not plain XML."""
    from lxml import etree

    refuse_doctype(data, name)
    try:
        return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise UnreadableFile(f"is damaged: its part {name} is not XML") from error


def refuse_doctype(data: bytes, name: str) -> None:
    """Raise UnreadableFile where the XML in `data` has a document type declaration, or is in an unusual encoding.

    Only such a declaration can name entities, and so other files, or a text that grows a billion times. No format
    that is read here needs one.
    """
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _stop(_Doctype)
    parser.StartElementHandler = _stop(_Root)
    try:
        for start in range(0, len(data), _PIECE_BYTES):
            parser.Parse(data[start : start + _PIECE_BYTES], False)
        parser.Parse(b"", True)
    except _Root:
        return
    except _Doctype as error:
        raise UnreadableFile(f"declares XML entities in its part {name}, which no such document has to") from error
    except expat.ExpatError as error:
        raise UnreadableFile(f"is damaged: its part {name} is not XML") from error


class _Doctype(Exception):
    pass


class _Root(Exception):
    pass


def _stop(reason: type[Exception]) -> Any:
    def stop(*_: object) -> None:
        raise reason

    return stop


def _open(data: bytes, kind: str) -> zipfile.ZipFile:
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise UnreadableFile(_PASSWORD)
        raise UnreadableFile(f"{_is_not(kind)}: it looks like an old office document (OLE), to be saved anew")
    if not data.startswith(_ZIP):
        raise UnreadableFile(_is_not(kind))
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise UnreadableFile("is damaged: its end is missing or its list of parts cannot be read") from error


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the parts by name, without folders and names that lead outside; refuses what no office program writes."""
    if len(archive.filelist) > MOST_ENTRIES:
        raise UnreadableFile(f"holds {len(archive.filelist):,} parts, far more than a document would")
    _refuse_overlap(archive)
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.filelist:
        if entry.is_dir() or _UNSAFE_NAME.search(entry.orig_filename):
            continue
        if entry.flag_bits & 1:
            raise UnreadableFile(_PASSWORD)
        if entry.filename in entries:
            raise UnreadableFile(f"holds two parts of the name {entry.filename[:100]}, of which only one can be meant")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableFile("is packed in a way that no office program uses")
        entries[entry.filename] = entry
    return entries


def _refuse_overlap(archive: zipfile.ZipFile) -> None:
    """Raise UnreadableFile where two parts share bytes, by which a small file could hold a large one many times."""
    end = 0
    for entry in sorted(archive.filelist, key=lambda entry: entry.header_offset):
        if entry.header_offset < end or (end == 0 and entry.header_offset):
            raise UnreadableFile("is damaged: its parts overlap, or something else lies before them")
        end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size
    if end > archive.start_dir:
        raise UnreadableFile("is damaged: its parts overlap")


def _is_not(kind: str, found: str = "") -> str:
    told = f": it is {KINDS[found]}, to be named .{found}" if found else ""
    return f"is not {KINDS[kind]}, whatever its name says{told}"
