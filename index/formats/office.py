"""What Word documents, presentations and workbooks have in common: the parts of Open XML, and their properties."""

import re
from typing import Any

from index.errors import UnreadableFile
from index.formats import Parsed
from index.formats.archive import Archive

_PROPERTIES = "docProps/core.xml"
# What programs put in place of a title that nobody wrote.
_NO_TITLE = re.compile(
    r"(microsoft )?(office )?(powerpoint|word|excel)?[ -]*(presentation|présentation|präsentation|document)?"
    r"|(presentazione|presentación|présentation|apresentação) (standard )?(di |de |do )?powerpoint"
    r"|(slide|diapositiva|folie|diapositive) \d+",
    re.I,
)


def open_office(data: bytes, kind: str) -> Archive:
    """Return the parts of an Open XML file of the `kind` "docx", "pptx" or "xlsx". Raises UnreadableFile."""
    archive = Archive(data, kind)
    if "_rels/.rels" not in archive:
        raise UnreadableFile("is damaged: its part _rels/.rels is missing")
    if b"purl.oclc.org/ooxml/" in archive.read("_rels/.rels"):
        raise UnreadableFile(f"is in the strict variant of its format: save it as an ordinary .{kind} and add that")
    return archive


def properties(archive: Archive) -> Parsed:
    """Return what the file's properties tell. The libraries' own put the present day where there are none."""
    if _PROPERTIES not in archive:
        return {}
    told = {_local_name(element): element.text or "" for element in archive.xml(_PROPERTIES).iterchildren("*")}
    title = " ".join(told.get("title", "").split())
    return {
        "title": "" if _NO_TITLE.fullmatch(title) else title,
        "author": told.get("creator", ""),
        "language": told.get("language", ""),
        "date": told.get("created", ""),
    }


def _local_name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
