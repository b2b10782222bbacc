"""Gold pairs that would waste time: slips of the pen, answers that no document holds, questions asked twice.

Nothing here is asked of a model unless an answerer is handed in. What is surely wrong is called serious; what a person
should look at, and may well leave as it is, is a remark.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from eval.data import Gold
from eval.draft import is_draft
from eval.measures.containment import LONGEST_HELD_WORDS
from eval.measures.language import FEWEST_WORDS
from eval.measures.normalise import as_spelled, normalise
from eval.systems import Answerer
from index.errors import BadQuestion
from index.language import LANGUAGES, detect_language
from index.library import Library
from rag.types import Answer, Citation

OnProgress = Callable[[int, int], None]  # pairs done, of how many
Problem = tuple[str, bool]  # what is wrong, and whether it is serious

# Of the 18 unanswerable questions of samples/gold.jsonl, asked with the default models, 2 were answered, both wrongly:
# with probabilities of 0.42 and 0.62 that the documents hold the answer. Of 12 answerable ones 7 were answered rightly,
# at 0.63 to 0.73 (0.74 is the most there is), 3 wrongly, at 0.49 to 0.58. What is supported tells less: 0.86 to 1.00
# where right, 0.71 to 1.00 where wrong. So 0.65 keeps what was right but for one, and nothing that was wrong.
LEAST_ANSWERABLE, LEAST_SUPPORT = 0.65, 0.85

_LEAST_SENTENCE_WORDS = 5
_YES_NO = frozenset(("yes-no", "yes/no", "yesno", "boolean", "bool"))
_SURE_LANGUAGE = 0.9  # of the detector; questions are short
_LISTED = 3  # ids or strings that one problem names
_SHOWN_CHARACTERS = 160
# Only at the beginning or as a whole: a question may be about TODO comments or {{ templates }}.
_PLACEHOLDER = re.compile(
    r"\W*(?:(?:TODO|TBD|FIXME|XXX+)\b|(?i:lorem ipsum)|\{\{[^{}]*\}\}\W*$|<[^<>]*>\W*$"
    r"|(?i:(?:your |the |insert |la tua )?(?:question|domanda|placeholder|test)(?:\W*(?:here|qui|text))?)[\W\d]*$)"
)
_QUOTATION_MARK = re.compile("[\"'`´‘’‚‛“”„‟«»‹›]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the pair on a line of the gold file; `id` is "" for a line that cannot be read."""

    line: int
    id: str
    problem: str
    serious: bool  # False: a remark, to be looked at


def check_gold(
    pairs: Sequence[tuple[int, Gold]],
    library: Library,
    answerer: Answerer | None = None,
    on_progress: OnProgress | None = None,
) -> list[Finding]:
    """Return what is wrong with `pairs`, each a line number and a pair, held against `library`; sorted by line.

    With an `answerer` the unanswerable questions are asked, seconds each: the documents may answer them after all.
    Raises what the answerer raises, but for questions that cannot be asked: those are findings.
    """
    shelf = _Shelf(library)
    first: dict[_Asked, tuple[int, Gold]] = {}
    findings = []
    for place, (line, gold) in enumerate(pairs):
        if on_progress:
            on_progress(place, len(pairs))
        problems = [*_alone(gold), *_against(gold, shelf)]
        earlier = first.setdefault(_asked(gold), (line, gold))
        if earlier[1] is not gold:
            problems.append(_twice(gold, *earlier))
        if answerer and not gold.answerable:
            problems += _answered(gold, answerer)
        findings += [Finding(line, gold.id, problem, serious) for problem, serious in problems]
    if on_progress:
        on_progress(len(pairs), len(pairs))
    return sorted(findings, key=lambda finding: finding.line)


def _alone(gold: Gold) -> Iterator[Problem]:
    """Yield what is wrong with a pair whatever the documents say."""
    if _PLACEHOLDER.match(gold.question) or not any(map(str.isalpha, gold.question)):
        yield f"the question is a placeholder: {_shown(gold.question)}", True
    if is_draft(gold):
        yield 'a draft that nobody has accepted yet: read it, correct it, and take "draft" out of its meta', False
    if gold.answerable and not (gold.answers or gold.meta.get("all_of") or gold.relevant):
        yield "nothing to measure: it has neither answers nor relevant documents", True
    if not gold.answerable and (gold.answers or gold.relevant):
        held = " and ".join(name for name in ("answers", "relevant") if getattr(gold, name))
        yield f"a contradiction: it is called unanswerable and has {held}", True
    if (detected := _other_language(gold)) is not None:
        yield f"the question reads as {detected!r}, and its language is given as {gold.language!r}", False


def _other_language(gold: Gold) -> str | None:
    """Return the language of the question where it is surely not the one that is given."""
    language = _base(gold.language)
    if language not in LANGUAGES or len(normalise(gold.question).split()) < FEWEST_WORDS:
        return None
    detected = detect_language(gold.question, least_confidence=_SURE_LANGUAGE)
    return detected if detected not in ("", language) else None


def _against(gold: Gold, shelf: "_Shelf") -> Iterator[Problem]:
    """Yield what is wrong with a pair, held against the documents that it calls relevant."""
    if missing := [id for id in gold.relevant if id not in shelf.languages]:
        yield f"the library does not hold {_list(missing)}{shelf.hint(missing)}", True
    relevant = [id for id in gold.relevant if id in shelf.languages]
    if not gold.answerable or not relevant:
        return
    yield from _answers_held(gold, [shelf.words(id) for id in relevant], _may_differ(gold, relevant, shelf))
    for quote in _quotes(gold):
        if not any(quote in shelf.text(id) for id in relevant):
            yield _misquoted(quote, relevant, shelf)


def _may_differ(gold: Gold, relevant: Sequence[str], shelf: "_Shelf") -> bool:
    """Whether a right answer may well be put in other words than the documents': translated, or yes or no."""
    spoken = {_base(shelf.languages[id]) for id in relevant}
    foreign = bool(gold.language) and bool(spoken) and _base(gold.language) not in spoken and "" not in spoken
    return foreign or gold.kind.casefold() in _YES_NO


def _answers_held(gold: Gold, texts: Sequence[str], may_differ: bool) -> Iterator[Problem]:
    if stems := gold.meta.get("all_of"):  # then the accepted answers serve F1 only
        if absent := [stem for stem in stems if not any(begins_in(text, stem) for text in texts)]:
            yield f"no relevant document holds {_list(absent)} of meta.all_of", not may_differ
    elif gold.answers and not any(occurs_in(text, answer) for text in texts for answer in gold.answers):
        free = all(map(_is_free_text, gold.answers))
        long = "; long answers are measured by token F1, ROUGE-L and similarity" if free else ""
        problem = f"no relevant document holds an accepted answer, such as {_shown(gold.answers[0])}{long}"
        yield problem, not (may_differ or free)


def _is_free_text(answer: str) -> bool:
    """Whether an answer is too long to stand in a text word for word: a sentence, or many words."""
    count = len(normalise(answer).split())
    return count > LONGEST_HELD_WORDS or (count > _LEAST_SENTENCE_WORDS and answer.rstrip().endswith("."))


def occurs_in(words: str, accepted: str) -> bool:
    """Whether `containment.holds` finds `accepted` in a text, by the text's `normalise`d words between spaces.

    The measure normalises the text at each call, which is too slow for 10,000 pairs over long documents.
    """
    wanted = normalise(accepted)
    return f" {wanted} " in words if wanted else True  # signs such as "%", which are not in `words`: not judged


def begins_in(words: str, stem: str) -> bool:
    """Whether `containment.holds_stem` finds `stem`, as `occurs_in` does."""
    wanted = normalise(stem)
    if not wanted or not wanted[-1].isdigit():
        return f" {wanted}" in words or f" {as_spelled(stem)}" in words
    return re.search(rf" {re.escape(wanted)}(?![\d.])", words) is not None


def _quotes(gold: Gold) -> list[str]:
    """Return the quotes of meta.quotes, which the file may hold in any shape."""
    quotes: object = dict(gold.meta).get("quotes")
    return [quote for quote in quotes if isinstance(quote, str)] if isinstance(quotes, list | tuple) else []


def _misquoted(quote: str, relevant: Sequence[str], shelf: "_Shelf") -> Problem:
    near = next((id for id in relevant if _without_marks(quote) in shelf.bare(id)), None)
    if near is None:
        return f"no relevant document holds the quote {_shown(quote)}", True
    return f"the quote {_shown(quote)} differs from {near} in spaces or quotation marks only", False


def _without_marks(text: str) -> str:
    return " ".join(_QUOTATION_MARK.sub("'", text).split())


_Asked = tuple[str, ...]


def _asked(gold: Gold) -> _Asked:
    """Return what is the same for two questions that are the same: their words, and the turns before."""
    turns = [part for turn in gold.meta.get("history", []) for part in (turn.speaker, normalise(turn.text))]
    return (normalise(gold.question) or gold.question.strip(), *turns)


def _twice(gold: Gold, line: int, earlier: Gold) -> Problem:
    same = f"asks the same as {earlier.id} on line {line}"
    if gold.answerable != earlier.answerable:
        return f"{same}, and only one of the two is called answerable", True
    if _accepted(gold) != _accepted(earlier):
        return f"{same}, and accepts other answers", True
    return f"{same}: it counts twice", False


def _accepted(gold: Gold) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(map(normalise, gold.answers)), frozenset(map(normalise, gold.meta.get("all_of", [])))


def _answered(gold: Gold, answerer: Answerer) -> Iterator[Problem]:
    """Yield what the documents seem to answer to an unanswerable question."""
    try:
        answer = answerer.answer(gold.question, gold.meta.get("history", []))
    except BadQuestion as error:
        yield f"the question cannot be asked: {error}", True
        return
    best = max(answer.citations, key=lambda citation: citation.support, default=None)
    if best and _convinced(answer, best):
        yield f"the documents may answer this: {_shown(best.quote)} ({best.document_id})", False


def _convinced(answer: Answer, best: Citation) -> bool:
    probability = answer.receipt.get("answerable", 0.0)
    sure = isinstance(probability, float) and probability >= LEAST_ANSWERABLE
    return not answer.abstained and sure and best.support >= LEAST_SUPPORT


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(_shown, names[:_LISTED])) + more


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line[:_SHOWN_CHARACTERS]}…”" if len(line) > _SHOWN_CHARACTERS else f"“{line}”"


def _base(language: str) -> str:
    """Return the language of a code that may name a country too: en-GB, pt_BR."""
    return re.split("[-_]", language.casefold())[0]


@dataclass(slots=True)
class _Shelf:
    """The documents that pairs call relevant, each read and normalised once."""

    library: Library
    languages: dict[str, str] = field(init=False)  # of every document, by id
    _by_name: dict[str, str] = field(init=False)
    _texts: dict[str, str] = field(default_factory=dict)
    _words: dict[str, str] = field(default_factory=dict)
    _bare: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.languages = {row.id: row.language for row in self.library.documents()}
        self._by_name = {_name(id): id for id in self.languages}

    def text(self, id: str) -> str:
        if id not in self._texts:
            self._texts[id] = self.library.document(id).text
        return self._texts[id]

    def words(self, id: str) -> str:
        """Return the words of title and text between spaces, normalised and then as spelled; the model reads titles."""
        if id not in self._words:
            title = self.library.document(id).title
            text = self.text(id)
            self._words[id] = f" {normalise(title)} {normalise(text)} \n {as_spelled(text)} "
        return self._words[id]

    def bare(self, id: str) -> str:
        """Return the text as quotes are compared with it that are not verbatim."""
        if id not in self._bare:
            self._bare[id] = _without_marks(self.text(id))
        return self._bare[id]

    def hint(self, missing: Sequence[str]) -> str:
        """Return the documents of the same names in other folders, to be added to a sentence; "" without any."""
        named = [self._by_name[_name(id)] for id in missing if _name(id) in self._by_name]
        return f"; it does hold {_list(named)}" if named else ""


def _name(id: str) -> str:
    return re.split(r"[/\\]", id)[-1].casefold()
