"""Which language a text is in (py3langid, naive Bayes over byte n-grams)."""

from functools import cache
from typing import Any

# Fewer candidates, fewer mistakes on short questions: over all its 130 languages the model takes "chi è" for Ligurian.
LANGUAGES = (
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi", "hr", "hu", "id",
    "it", "ja", "ko", "lt", "lv", "ml", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "ta", "te",
    "th", "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
_ENOUGH_CHARACTERS = 4_000
_PLAIN, _PLAIN_LETTERS = 0.99, 100
# Which the detector itself may mix up.
_ALIKE = ({"hr", "sr", "sl"}, {"da", "no"}, {"cs", "sk"}, {"ca", "es", "pt"}, {"fa", "ur", "ar"}, {"bg", "ru", "uk"})


def detect_language(text: str, *, least_confidence: float = 0.35) -> str:
    """Return the ISO 639-1 code of `text`'s language, "" where it is too short or mixed to tell.

    A lone word or name is rarely enough: let the caller fall back on the language of what was found.
    """
    language, confidence = _classify(text)
    return language if confidence >= least_confidence else ""


def choose_language(text: str, *, declared: str) -> str:
    """Return the language that a file says it is in, unless its text is plainly in another; else the detected one.

    Many Italian sites keep the lang="en" of the template they were made from.
    """
    if not declared:
        return detect_language(text)
    language, confidence = _classify(text)
    is_plain = confidence >= _PLAIN and sum(map(str.isalpha, text[:_ENOUGH_CHARACTERS])) >= _PLAIN_LETTERS
    if not is_plain or declared not in LANGUAGES or any({declared, language} <= group for group in _ALIKE):
        return declared
    return language


def _classify(text: str) -> tuple[str, float]:
    sample = text[:_ENOUGH_CHARACTERS].strip()
    if not any(map(str.isalpha, sample)):
        return "", 0.0
    language, confidence = _identifier().classify(sample)
    return str(language), float(confidence)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
