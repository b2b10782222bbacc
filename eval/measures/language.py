"""Answer language: is the answer in the question's language, as far as a language detector can tell?"""

from eval.measures.normalise import normalise
from index.language import detect_language

# "Percy Shelley" or "1974" has no language; detectors guess at random below a handful of words.
FEWEST_WORDS = 5


def language_right(answer: str, language: str) -> float | None:
    """Return 1 where `answer` is in `language` (ISO 639-1), 0 where not, None where there is too little to tell."""
    if not language or len(normalise(answer).split()) < FEWEST_WORDS:
        return None
    detected = detect_language(answer)
    return float(detected == language) if detected else None
