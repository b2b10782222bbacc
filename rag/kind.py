"""What kind of thing a question asks for, and whether an answer holds one. Pure.

A small model asked "how old is she?" over passages without an age answers with whatever they do say; an answer without
a figure where the question wants one is the surest sign of it. Who, where and why are left alone: "the board" is a fine
answer to who, and no list of words tells it from a poor one.
"""

import re
from typing import Literal

Kind = Literal["number", "year", "other"]

# English, Italian, French, German, Spanish, Portuguese: the question words that leave no doubt.
_YEAR = re.compile(
    r"\b(?:what|which) year\b|\b(?:in )?(?:che|quale) anno\b|\ben quelle année\b|\bquelle année\b|\bwelche[ms] jahr\b"
    r"|\bqu[ée] año\b|\bque ano\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\bhow (?:many|much|old|tall|long|far|high|big|large)\b"
    r"|\bwhat (?:percentage|share|number|price|valuation|salary|age|size)\b"
    r"|\bquant[oaie]\b|\b(?:che|quale|a quale|di quale) (?:percentuale|cifra|prezzo|valutazione|età|somma|stipendio)\b"
    r"|\bcombien\b|\bquel (?:âge|prix|pourcentage|montant)\b|\bwie (?:viele?|alt|hoch|lange?|groß|weit)\b"
    r"|\bcu[áa]nt[oa]s?\b|\bquant[oa]s\b",
    re.IGNORECASE,
)
_NUMBER_WORDS = re.compile(
    r"\b(?:zero|no|none|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|fifty|dozens?|half|third"
    r"|quarter|hundreds?|thousands?|millions?|billions?|several|few|most|majority|all|both|double|twice|once"
    r"|nessun[oa]?|un[oa]?|due|tre|quattro|cinque|sei|sette|otto|nove|dieci|undici|dodici|venti|trenta|cinquanta|decine|metà"
    r"|cent[oi]|centinaia|mille|mila|migliaia|milion[ei]|miliard[oi]|molt[ie]|poch[ie]|maggioranza|tutt[ie]|entramb[ie]|doppio"
    r"|deux|trois|quatre|cinq|sept|huit|neuf|dix|centaines?|cents?|milliers?|milliards?|plusieurs|majorité"
    r"|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|hunderte?n?|tausende?n?|millionen|milliarden?|mehrheit"
    r"|dos|cuatro|cinco|siete|ocho|nueve|diez|cientos|centenares|miles|millones|mayoría)\b",
    re.IGNORECASE,
)
_YEAR_FIGURE = re.compile(r"\b(?:1\d|20|21)\d\d\b|['’]\d\d\b|\b\d{3,4}\b")


def asked_kind(question: str) -> Kind:
    """Return what `question` wants; "other" where its words leave it open."""
    if _YEAR.search(question):
        return "year"
    return "number" if _NUMBER.search(question) else "other"


def holds_kind(answer: str, question: str) -> bool:
    """Whether `answer` holds a thing of the kind that `question` asks for."""
    match asked_kind(question):
        case "year":
            return bool(_YEAR_FIGURE.search(answer))
        case "number":
            return bool(re.search(r"\d", answer) or _NUMBER_WORDS.search(answer))
        case _:
            return True
