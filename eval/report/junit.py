"""A run as JUnit XML, which CI systems show test by test.

The suite "gate" decides: a failure for each requirement that is not met. In the suite "questions" only one that was
not answered at all is an error. A wrong answer is no broken build, and CI systems turn a build red for one failure
anywhere; nor was it skipped, which would say that nobody looked. So it passes, and its output says what was expected.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval.gate import Result, Verdict
from eval.report.outcomes import GOOD, OUTCOMES, outcome
from eval.report.visible import one_line, visible
from eval.results import Scored

if TYPE_CHECKING:
    from junitparser import Error, Failure, TestCase, TestSuite

_NAME_CHARS = 200


def junit(scored: Sequence[Scored], verdict: Verdict | None = None, *, name: str) -> str:
    """Return the JUnit XML of a run: a case for each requirement of the gate and for each question, in their order."""
    from junitparser import JUnitXml

    xml = JUnitXml(one_line(name, _NAME_CHARS))
    if verdict is not None:
        xml.add_testsuite(_suite("gate", [_requirement_case(result) for result in verdict.results]))
    xml.add_testsuite(_suite("questions", [_question_case(question) for question in scored]))
    xml.update_statistics()
    text: bytes = xml.tostring()
    return text.decode()


def _suite(name: str, cases: Sequence["TestCase"]) -> "TestSuite":
    from junitparser import TestSuite

    suite = TestSuite(name)
    suite.add_testcases(list(cases))
    return suite


def _requirement_case(result: Result) -> "TestCase":
    from junitparser import Failure, TestCase

    case = TestCase(one_line(result.requirement, _NAME_CHARS), "gate", 0.0)
    if not result.met:
        case.result = [_with_text(Failure(visible(result.reason), "gate"))]
    return case


def _question_case(question: Scored) -> "TestCase":
    from junitparser import Error, TestCase

    gold, row = question.gold, question.row
    name = one_line(f"{gold.id}: {gold.question}", _NAME_CHARS)
    case = TestCase(name, one_line(gold.kind or "questions", _NAME_CHARS), row.total_s or 0.0)
    if row.error:
        case.result = [_with_text(Error(visible(row.error), "error"))]
    elif outcome(question) not in GOOD:
        case.system_out = visible(_told(question))
    return case


def _with_text(result: "Failure | Error") -> "Failure | Error":
    """Return the result with its message as its text too: some CI systems show one, some the other."""
    result.text = result.message
    return result


def _told(question: Scored) -> str:
    gold = question.gold
    accepted = "; ".join(gold.answers or gold.meta.get("all_of", [])) if gold.answerable else "a refusal"
    return f"{OUTCOMES[outcome(question)]}\naccepted: {accepted}\nanswer: {question.row.answer}"
