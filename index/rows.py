"""What a search holds of the catalog in memory: read once, and after a change only what is new."""

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.catalog import Catalog
from index.embed import Vectors


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read of the chunks, so that after a change only what is new is read. Never written to where it is read.

    A key is never used twice, and what belongs to it never changes: keys come at the end, and go.
    """

    keys: NDArray[np.int64]  # ascending
    languages: tuple[str, ...]
    spoken: NDArray[np.int64]  # the place in `languages` of each of `keys`
    room: Vectors | None  # begins with the vectors of `keys`; None where there are too many to hold

    @property
    def vectors(self) -> Vectors | None:
        """The vectors of `keys` `(n, dimension)`."""
        return None if self.room is None else self.room[: len(self.keys)]


NO_ROWS = Rows(np.zeros(0, dtype=np.int64), (), np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.float32))


def read_rows(catalog: Catalog, held: Rows, *, exact_up_to: int) -> Rows:
    """Return what the catalog holds now, given what it once held; only called while reading.

    Reads what was put in since and, where something was taken out, all keys.
    """
    last = int(held.keys[-1]) if len(held.keys) else 0
    stays: slice | NDArray[np.bool_] = slice(None)
    if catalog.chunk_count(up_to=last) != len(held.keys):
        stays = np.isin(held.keys, catalog.keys_up_to(last), assume_unique=True)
    fresh = catalog.languages(after=last)
    languages = tuple(dict.fromkeys([*held.languages, *fresh.values()]))
    place = {language: i for i, language in enumerate(languages)}
    keys = np.append(held.keys[stays], np.array(list(fresh), dtype=np.int64))
    spoken = np.append(held.spoken[stays], np.array([place[language] for language in fresh.values()], dtype=np.int64))
    if len(keys) > exact_up_to:
        return Rows(keys, languages, spoken, None)
    if held.vectors is None:
        held, stays, last = NO_ROWS, slice(None), 0
    read, vectors = catalog.vectors(after=last)
    if not np.array_equal(read, keys[len(keys) - len(read) :]):
        raise sqlite3.DatabaseError("the vectors of some passages are missing")
    return Rows(keys, languages, spoken, _joined(held, stays, vectors, len(keys)))


def _joined(held: Rows, stays: "slice | NDArray[np.bool_]", new: Vectors, count: int) -> Vectors:
    """Return room that begins with those of the held vectors that stay and then `new`, `count` in all.

    Where there is room after the held ones, `new` is written there: views of before end in front of it. Else all are
    copied, with a quarter to spare.
    """
    room, kept = held.room, count - len(new)
    assert room is not None
    if not len(new) and isinstance(stays, slice):
        return room
    if not kept:
        return new
    if not isinstance(stays, slice) or len(room) < count:
        larger = np.empty((count + count // 4, room.shape[1]), dtype=np.float32)
        larger[:kept] = room[: len(held.keys)][stays]
        room = larger
    if len(new):
        room[kept:count] = new
    return room
