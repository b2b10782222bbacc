"""A language model as judge: does an answer say what the reference answers say? Optional, and no measure to rest on.

Judges favour long answers and their own (Zheng et al. 2023, https://arxiv.org/abs/2306.05685), and small ones err
often: before its figures are believed, hold them against people's with `eval.agreement`.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence

import prompts
from eval.measures.containment import first_words
from eval.measures.normalise import without_markers
from rag.generate import Generator, Message
from rag.messages import neutral

UNCLEAR = 0.5
_LANGUAGES = ("en", "it")  # that a prompt may be written in
_VALUES = {"yes": 1.0, "partly": 0.5, "partially": 0.5, "no": 0.0}
_WORD = re.compile(rf"\b({'|'.join(_VALUES)})\b")
_MAX_TOKENS = 8
# Below this the words that the prompt asks for are not what the model was about to write.
_LEAST_MASS = 0.5
_MOST_WORDS = 400  # of an answer: the rest would not fit beside the references


class Judge:
    """Rates answers with a language model, local or behind a URL. `unclear` counts the replies without a verdict."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self.unclear = 0

    @property
    def name(self) -> str:
        """The model's name."""
        return self._generator.name

    @property
    def fingerprint(self) -> str:
        """A SHA-256 over what ratings depend on: the prompts, and the weights (their name where they are elsewhere).

        A model behind a URL that was not named takes its name from the server at the first rating.
        """
        shown = [prompts.render("judge", language, question="", references="", answer="") for language in _LANGUAGES]
        parts = (self._generator.fingerprint or self._generator.name, shown)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def rate(self, question: str, answer: str, accepted: Sequence[str], language: str = "en") -> float:
        """Return how far `answer` says what one of `accepted` says, 0..1; an empty answer has 0 and is not shown.

        Where the engine tells the probabilities of its first token, yes counts 1, partly 0.5 and no 0, weighed by
        them, as in G-Eval (Liu et al. 2023, https://arxiv.org/abs/2303.16634); else the word that it wrote counts. A
        reply with no verdict is `UNCLEAR`, 0.5, and is counted: leaving it out would let a judge choose its questions.
        An answer is read up to its 400th word. Raises GenerationFailed, ValueError without accepted answers.
        """
        if not accepted:
            raise ValueError("no accepted answers to compare with")
        shown = _one_line(first_words(without_markers(answer), _MOST_WORDS))
        if not shown:
            return 0.0
        references = "\n".join(f"- {_one_line(text)}" for text in accepted)
        prompt = prompts.render("judge", language, question=_one_line(question), references=references, answer=shown)
        generation = self._generator.generate([Message("user", prompt)], max_tokens=_MAX_TOKENS)
        reply = "".join(generation)
        verdict = weighed_verdict(generation.first_token)
        if verdict is None:
            verdict = written_verdict(reply)
        if verdict is None:
            self.unclear += 1
            return UNCLEAR
        return verdict


def weighed_verdict(first_token: Mapping[str, float]) -> float | None:
    """Return the mean value of yes, partly and no by the log-probabilities of a reply's first token.

    None where these words together have less than half of the probability: the model was about to write something else.
    """
    masses = [(math.exp(p), value) for token, p in first_token.items() if (value := _token_value(token)) is not None]
    total = sum(mass for mass, _ in masses)
    return sum(mass * value for mass, value in masses) / total if total >= _LEAST_MASS else None


def written_verdict(reply: str) -> float | None:
    """Return the value of the word that a reply begins with, else of the only such word in it; None without one."""
    words = _WORD.findall(reply.casefold())
    begins = re.match(r"\W*(\w+)", reply.casefold())
    if begins and begins.group(1) in _VALUES:
        return _VALUES[begins.group(1)]
    values = {_VALUES[word] for word in words}
    return values.pop() if len(values) == 1 else None


def _token_value(token: str) -> float | None:
    """Return the value of the word that `token` is, or begins: "Part" of "Partly"."""
    letters = token.strip(" \t\n▁Ġ*\"'.").casefold()
    if len(letters) < 2:
        return None
    return next((value for word, value in _VALUES.items() if word.startswith(letters)), None)


def _one_line(text: str) -> str:
    return neutral(" ".join(text.split()))
