"""Lexical search: SQLite's FTS5 over the terms, stems and roots of chunks, scored by BM25."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from index.terms import roots, stems, telling_roots, telling_terms, terms
from index.types import Chunk, Document
from index.where import Condition, sql_of

Query = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Runs an SQL query with its values, and returns the rows."""

_WEIGHTS = "2.0, 1.0, 1.0, 1.0"  # of title, terms, stems, roots
_ELSEWHERE = 1.25  # times BM25
_SCORED_AT_MOST = 20_000  # chunks that share a question's terms


def lexical_columns(document: Document, chunk: Chunk) -> tuple[str, str, str, str]:
    """Return what is indexed of a chunk: the terms of its title and text, and the stems and roots of both."""
    titled = f"{document.title}\n{chunk.text}"
    columns = (terms(document.title), terms(chunk.text), stems(titled, document.language), roots(titled))
    title, own, stemmed, rooted = (" ".join(column) for column in columns)
    return title, own, stemmed, rooted


class Matching:
    """The chunks of a catalog that match a question. What `query` reads must be of one moment."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def best(
        self, question: str, language: str, *, sure: bool, limit: int, where: Sequence[Condition]
    ) -> list[tuple[int, float]]:
        """Return `(key, BM25 score)`, best first; see `Catalog.lexical`."""
        plain, stemmed = telling_terms(question, language)
        exact = [f'{{title terms}} : "{word}"' for word in plain]
        phrases = exact + [f'stems : "{word}"' for word in stemmed]
        elsewhere = _of_roots(question, language) + ([] if sure else exact)
        spoken = self._query("SELECT DISTINCT language FROM documents", ())
        if (language,) not in spoken:
            return self._elsewhere(elsewhere, where, limit, sure)
        if len(spoken) == 1:
            return self._best_matches(phrases, where, limit)
        own, other = (Condition("language", operator, language) for operator in ("=", "!="))
        found = self._best_matches(phrases, [*where, own], limit)
        return _best([*found, *self._elsewhere(elsewhere, [*where, other], limit, sure)], limit)

    def _elsewhere(
        self, phrases: Sequence[str], where: Sequence[Condition], limit: int, sure: bool
    ) -> list[tuple[int, float]]:
        """Return the matches in other languages, where fewer words can match."""
        weight = _ELSEWHERE if sure else 1.0
        return [(key, weight * score) for key, score in self._best_matches(phrases, where, limit)]

    def _best_matches(self, phrases: Sequence[str], where: Sequence[Condition], limit: int) -> list[tuple[int, float]]:
        """Return `(key, BM25 score)` of the chunks that match any of `phrases`, best first."""
        if not phrases:
            return []
        rare, common = self._by_rarity(phrases)
        found = dict(self._matches(_any_of(rare), where, limit))
        if common:  # BM25 is a sum over terms, and matching both sides adds what the common ones give
            found |= dict(self._matches(f"({_any_of(rare)}) AND ({_any_of(common)})", where, limit))
            if len(found) < limit:
                found = dict(self._matches(_any_of(phrases), where, limit))
        return _best(found.items(), limit)

    def _by_rarity(self, phrases: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the rarest of `phrases`, which decide what is looked at, and the others.

        To score a chunk takes SQLite some microseconds, and half of a large library shares a word with a question:
        over 100,000 chunks p95 is 139 ms for all that match and 44 ms for those with the rarest terms, and the best
        60 of 200 questions were the same.
        """
        if self._query("SELECT count(*) FROM chunks", ())[0][0] <= _SCORED_AT_MOST:
            return list(phrases), []
        counting = "SELECT count(*) FROM (SELECT 1 FROM lexical WHERE lexical MATCH ? LIMIT ?)"
        count = {phrase: self._query(counting, (phrase, _SCORED_AT_MOST))[0][0] for phrase in phrases}
        ordered = sorted(count, key=lambda phrase: (count[phrase], phrase))
        matched = np.cumsum([count[phrase] for phrase in ordered])
        few = max(1, int(np.searchsorted(matched, _SCORED_AT_MOST, side="right")))
        return ordered[:few], ordered[few:]

    def _matches(self, expression: str, where: Sequence[Condition], limit: int) -> list[tuple[int, float]]:
        """Return `(key, BM25 score)` of the best chunks that match an FTS5 expression."""
        condition, values = sql_of(where)
        # Asked row by row, before it is scored. As "rowid IN (...)" FTS5 would search anew for every allowed row:
        # minutes where there are 100,000.
        fitting = f"SELECT 1 FROM chunks WHERE key = lexical.rowid AND document_id IN ({documents_where(condition)})"
        among = f"AND EXISTS ({fitting})" if where else ""
        query = (
            f"SELECT rowid, -bm25(lexical, {_WEIGHTS}) AS score FROM lexical "
            f"WHERE lexical MATCH ? {among} ORDER BY score DESC, rowid LIMIT ?"
        )
        return self._query(query, (expression, *values, limit))


def documents_where(condition: str) -> str:
    """Return the query for the ids of the documents that an SQL condition says."""
    return f"SELECT id FROM documents WHERE {condition}"


def _best(scored: Iterable[tuple[int, float]], limit: int) -> list[tuple[int, float]]:
    return sorted(scored, key=lambda item: (-item[1], item[0]))[:limit]


def _of_roots(question: str, language: str) -> list[str]:
    return [f'roots : "{root}"' for root in telling_roots(question, language)]


def _any_of(phrases: Sequence[str]) -> str:
    """Return an FTS5 expression; each word in it is a quoted string without quotes, since a term has only letters."""
    return " OR ".join(phrases)
