"""Where documents came from: a file's place as the catalog records it, and which documents have lost theirs.

A document counts as lost only on evidence: a place that cannot be looked at, for want of a permission or because a
disk is away, says nothing about what is there.
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

from index.catalog import DocumentRow
from index.load import Found, printable


def origin_of(path: Path) -> str:
    """Return the place of the file at `path` as it is recorded: absolute, as a URI where its name is no Unicode."""
    place = path.resolve()
    try:
        str(place).encode()
    except UnicodeEncodeError:
        return place.as_uri()
    return str(place)


def path_of(origin: str) -> Path:
    """Return the path that `origin_of` recorded."""
    if origin.startswith("file:///"):
        return Path(os.fsdecode(unquote_to_bytes(origin.removeprefix("file://"))))
    return Path(origin)


def may_exist(origin: str) -> bool:
    """Whether a file is there, or cannot be seen."""
    try:
        path_of(origin).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def moved_source(row: DocumentRow, path: Path) -> str:
    """Return the source of a document whose file is now at `path`: that path, where it was its old path before."""
    told_path = "://" not in row.source and Path(row.source).name == printable(path_of(row.origin).name)
    return printable(str(path)) if told_path else row.source


def lost_documents(
    rows: Iterable[DocumentRow], named: Sequence[Path], found: Found, met: Mapping[str, str], complete: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of the documents whose files, or lines, are gone, and of those of which that cannot be said.

    Looked at are the documents of the files `found` and everything under the folders among `named`. `met` are the
    documents, by id, that were just read, with their origins; `complete` the origins of corpus files of which every
    line was read.
    """
    there = {origin_of(file.path) for file in found.files}
    gone_from = _Folders(named, found)
    unmet = {row.id: row.origin for row in rows if row.origin and met.get(row.id) != row.origin}
    verdicts = {
        document_id: (True if origin in complete else None) if origin in there else gone_from(origin)
        for document_id, origin in unmet.items()
    }
    gone = tuple(document_id for document_id, verdict in verdicts.items() if verdict)
    doubtful = tuple(document_id for document_id, verdict in verdicts.items() if verdict is None)
    return gone, doubtful


def can_list(folder: Path) -> bool | None:
    """Whether what is in `folder` can be seen; None where there is no such folder."""
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no path at all
        return None
    except OSError:
        return False
    return True


class _Folders:
    """Tells whether a file under one of the named folders is gone: None where that cannot be seen."""

    def __init__(self, named: Sequence[Path], found: Found) -> None:
        self._roots = [(path, path.resolve()) for path in named if can_list(path) is not None]
        self._passed_over = {skipped.path for skipped in found.skipped if not skipped.reason.startswith("cannot")}
        self._can_list: Callable[[Path], bool | None] = cache(can_list)

    def __call__(self, origin: str) -> bool | None:
        path = path_of(origin)
        within = [(named, root) for named, root in self._roots if path.is_relative_to(root) and path != root]
        verdicts = [self._is_gone(path, named, root) for named, root in within]
        return None if None in verdicts else any(verdicts)

    def _is_gone(self, path: Path, named: Path, root: Path) -> bool | None:
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return self._is_seen_to_be_gone(path, root)
        except OSError:
            return None
        # Of what is there, only what adding the folder passes over: a link, a folder, a kind that is not read.
        reached_otherwise = path.resolve() != path
        shown = printable(str(named / path.relative_to(root)))
        return reached_otherwise or not stat.S_ISREG(mode) or shown in self._passed_over

    def _is_seen_to_be_gone(self, path: Path, root: Path) -> bool | None:
        """Whether every folder above `path`, up to `root`, can be listed or is gone itself; None where one cannot."""
        above = [parent for parent in path.parents if parent.is_relative_to(root)]
        listed = [self._can_list(folder) for folder in above]  # the last one is the root
        return True if all(can is not False for can in listed) and listed[-1] else None
