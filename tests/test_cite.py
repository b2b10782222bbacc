import numpy as np
import pytest

from index.types import Chunk, Document, Passage
from rag.cite import RawClaim, cite, parse_claims, write_answer
from rag.evidence import split_passages
from rag.types import Evidence

TEXT = "The bridge was opened in 1931 by mayor Bruni. It carries two lanes. The choir has thirty members."


def evidence_and_sentences(text=TEXT):
    passage = Passage(Chunk("c", "d.md", text, 0, len(text)), Document("d.md", text, language="en"), 1.0, 1)
    sentences = split_passages([passage])
    return [Evidence(passage, s.start, s.end, s.text) for s in sentences], sentences


def cited(answer, *, question="", text=TEXT, cosines=None, read_support=None):
    evidence, sentences = evidence_and_sentences(text)

    def similarity(texts):
        if cosines is not None:
            return np.array([cosines] * len(texts), dtype=np.float32)
        same = [[0.95 if set(t.split()) & set(s.text.split()) - {"The"} else 0.7 for s in sentences] for t in texts]
        return np.array(same, dtype=np.float32)

    return cite(
        parse_claims(answer, "en"),
        evidence,
        sentences,
        similarity,
        question=question,
        language="en",
        read_support=read_support,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It opened in 1931 [1].", [RawClaim("It opened in 1931.", (1,))]),
        ("It opened in 1931. [1]", [RawClaim("It opened in 1931.", (1,))]),
        (
            "It opened in 1931. [1][2] Bruni came [2].",
            [RawClaim("It opened in 1931.", (1, 2)), RawClaim("Bruni came.", (2,))],
        ),
        ("It opened [1, 3] in 1931", [RawClaim("It opened in 1931", (1, 3))]),
        ("It opened 【2】.", [RawClaim("It opened.", (2,))]),
        ("Mayor Bruni (1)", [RawClaim("Mayor Bruni", (1,))]),
        ("It opened in May (1).", [RawClaim("It opened in May.", (1,))]),
        ("It (2) opened in May.", [RawClaim("It (2) opened in May.", ())]),
        ("It opened.", [RawClaim("It opened.", ())]),
        ("[1]", []),
        ("", []),
    ],
)
def test_markers_are_read_wherever_the_model_puts_them(text, expected):
    assert parse_claims(text, "en") == expected


def test_quotes_are_verbatim_at_their_offsets():
    claims, citations = cited("The bridge was opened in 1931 [1]. The choir has thirty members [3].")
    assert [c.markers for c in claims] == [(1,), (2,)]
    for citation in citations:
        assert TEXT[citation.start : citation.end] == citation.quote
    assert citations[1].quote == "The choir has thirty members."


def test_an_invented_marker_is_dropped():
    _, citations = cited("The bridge was opened in 1931 [9].")
    assert [c.quote for c in citations] == ["The bridge was opened in 1931 by mayor Bruni."]


def test_a_wrong_marker_gives_way_to_the_sentence_that_supports():
    _, citations = cited("The bridge was opened by Bruni in 1931 [3].")
    assert [c.quote for c in citations] == ["The bridge was opened in 1931 by mayor Bruni."]


def test_the_models_marker_decides_between_equal_quotes():
    text = "The fair opens in May. The show opens in May."
    _, citations = cited("It opens in May [2].", text=text, cosines=[0.9, 0.9])
    assert [c.quote for c in citations] == ["The show opens in May."]


def test_a_claim_that_nothing_supports_carries_no_marker():
    claims, citations = cited("Bianchi sold it in 1999 [1].")
    assert claims[0].markers == ()
    assert claims[0].support == "unsupported"
    assert citations == []


def test_a_claim_may_rest_on_two_quotes():
    claims, citations = cited(
        "Bruni opened it and the choir has thirty members, Bruni and Choir 1931.", cosines=[0.8, 0.7, 0.8]
    )
    assert len(claims[0].markers) == 2
    assert {c.quote for c in citations} == {
        "The bridge was opened in 1931 by mayor Bruni.",
        "The choir has thirty members.",
    }


def test_two_claims_on_one_quote_share_its_marker():
    claims, citations = cited("The bridge was opened in 1931 [1]. Mayor Bruni opened the bridge [1].")
    assert [c.markers for c in claims] == [(1,), (1,)]
    assert len(citations) == 1


def test_the_reader_decides_between_quotes_that_the_rules_find_equal():
    text = "The fair opens in May. The show opens in May."
    for wanted in ("fair", "show"):
        _, citations = cited(
            "It opens in May.",
            text=text,
            cosines=[0.9, 0.9],
            read_support=lambda pairs, wanted=wanted: [0.99 if wanted in quote else 0.01 for quote, _ in pairs],
        )
        assert [wanted in citation.quote for citation in citations] == [True]


def test_the_reader_may_find_that_nothing_supports_a_claim():
    answer = "Mayor Bruni opened the bridge in 1931."
    for probability, kept in ((0.99, 1), (0.0001, 0)):
        claims, citations = cited(answer, read_support=lambda pairs, p=probability: [p for _ in pairs])
        assert len(citations) == len(claims[0].markers) == kept


def test_the_answer_is_written_with_markers_before_the_stop():
    claims, _ = cited("The bridge was opened in 1931. [1] The choir has thirty members!")
    assert write_answer(claims) == "The bridge was opened in 1931 [1]. The choir has thirty members [2]!"


def test_no_evidence_gives_unsupported_claims():
    claims, citations = cite(
        [RawClaim("Yes.", (1,))], [], [], lambda texts: np.zeros((1, 0)), question="", language="en"
    )
    assert [c.support for c in claims] == ["unsupported"]
    assert citations == []
