"""CSV and TSV files: a row becomes a line that says by itself what it means."""

import csv
import io
import re
import sys

from index.decode import clean, decode
from index.errors import UnreadableFile
from index.formats import MOST_CHARACTERS, Parsed
from index.formats.layout import records

_DELIMITERS = ",;\t|"
_ROWS_TO_JUDGE = 50
_TOLD_DELIMITER = re.compile(r'"?sep=([,;\t|])"?\n')  # a first line by which Excel is told, and which it hides
_CHARACTERS_TO_JUDGE = 100_000


def read_csv(data: bytes) -> Parsed:
    """Return the rows as text, each cell after its column's name, which the first row gives if it can.

    Formulas stay as they are written. Raises UnreadableFile where the file cannot be parted into rows.
    """
    text = clean(decode(data))
    told = _TOLD_DELIMITER.match(text)
    text = text[told.end() :] if told else text
    csv.field_size_limit(sys.maxsize)  # how much may be read is limited elsewhere
    rows = csv.reader(io.StringIO(text), delimiter=told[1] if told else _delimiter(text))
    lines, length = [], 0
    try:
        for line in records(rows, has_header=True):
            lines.append(line)
            length += len(line)
            if length > MOST_CHARACTERS:  # a column's name may be much longer than what is in it
                raise UnreadableFile(f"unpacks to more than {MOST_CHARACTERS:,} characters of text")
    except csv.Error as error:
        raise UnreadableFile(f"is not a table that can be read ({error})") from error
    return {"text": "\n".join(lines)}


def _delimiter(text: str) -> str:
    """Return the delimiter that parts most rows alike. csv.Sniffer takes a decimal comma or a letter for one."""
    sample = text[:_CHARACTERS_TO_JUDGE]
    return max(_DELIMITERS, key=lambda delimiter: _alike(sample, delimiter))


def _alike(sample: str, delimiter: str) -> tuple[int, int]:
    """Return how many rows have the most usual number of cells, and that number; zeros for a single cell."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(sample), delimiter=delimiter):
            rows.append(len(row))
            if len(rows) == _ROWS_TO_JUDGE:
                break
    except csv.Error:
        return 0, 0
    counts = {count: rows.count(count) for count in set(rows) if count > 1}
    usual = max(counts, key=lambda count: (counts[count], count), default=0)
    return counts.get(usual, 0), usual
