"""One parser a file: bytes to a text with its metadata. Each runs in the limited child process of `index.parse`."""

from typing import Any

# "text", clean; and where told: "title", "author", "outlet", "source", "date", "language", "pages" (offset at which
# each starts), "remark" (what was left out, completing a sentence that begins with the file's name).
Parsed = dict[str, Any]

MOST_CHARACTERS = 50_000_000  # of one document's text
