"""Risk and coverage, calibration, and the refusals of other systems, against cases worked out by hand."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import prompts
from eval.measures.abstention import aurc, excess_aurc, refuses, risk_coverage
from eval.measures.calibration import Bin, brier_score, calibration_error, reliability

# Few different values, so that ties are common.
ANSWERED = st.tuples(st.sampled_from([None, 0.1, 0.5, 0.9]), st.booleans())


def test_the_surest_questions_are_covered_first() -> None:
    points = risk_coverage([0.2, 0.9, 0.5, 0.7], [False, True, True, False])
    assert [coverage for coverage, _ in points] == [0.25, 0.5, 0.75, 1.0]
    assert [risk for _, risk in points] == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])
    assert aurc([0.2, 0.9, 0.5, 0.7], [False, True, True, False]) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_refused_questions_come_last_and_are_wrong() -> None:
    points = risk_coverage([None, 0.1, None], [True, True, False])
    assert [risk for _, risk in points] == pytest.approx([0, 1 / 2, 2 / 3])


def test_equal_confidences_share_their_mean_error() -> None:
    # One of two wrong, in either order: (1/1 + 1/2) / 2 or (0/1 + 1/2) / 2; their mean is 1/2 at both places.
    assert risk_coverage([0.5, 0.5], [True, False]) == risk_coverage([0.5, 0.5], [False, True])
    assert aurc([0.5, 0.5], [True, False]) == pytest.approx(0.5)
    assert [risk for _, risk in risk_coverage([0.9, 0.5, 0.5], [True, True, False])] == pytest.approx([0, 1 / 4, 1 / 3])


def test_excess_is_nothing_for_the_best_order_and_most_for_the_worst() -> None:
    right = [True, True, False, False]
    assert excess_aurc([0.9, 0.8, 0.2, 0.1], right) == pytest.approx(0)
    # Risks 1, 1, 2/3, 1/2 against 0, 0, 1/3, 1/2.
    assert excess_aurc([0.1, 0.2, 0.8, 0.9], right) == pytest.approx((1 + 1 + 1 / 3) / 4)


def test_no_question_has_no_area() -> None:
    assert risk_coverage([], []) == []
    with pytest.raises(ValueError, match="no question"):
        aurc([], [])


@pytest.mark.parametrize("confidence", [[0.5], [0.5, float("nan")], [0.5, float("inf")]])
def test_confidences_without_an_order_are_rejected(confidence: list[float]) -> None:
    with pytest.raises(ValueError, match="confidence"):
        risk_coverage(confidence, [True, False])


@given(st.lists(ANSWERED, min_size=1), st.randoms())
def test_the_order_of_the_questions_does_not_matter(answers: list[tuple[float | None, bool]], random: object) -> None:
    shuffled = list(answers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    value, again = (aurc([c for c, _ in column], [right for _, right in column]) for column in (answers, shuffled))
    assert value == pytest.approx(again)
    assert 0 <= value <= 1


@given(st.lists(ANSWERED, min_size=1))
def test_no_order_is_better_than_the_best(answers: list[tuple[float | None, bool]]) -> None:
    confidence, right = [c for c, _ in answers], [right for _, right in answers]
    assert excess_aurc(confidence, right) >= -1e-12
    wrong = sum(c is None or not r for c, r in answers)
    assert risk_coverage(confidence, right)[-1][1] == pytest.approx(wrong / len(answers))


def test_bins_are_closed_on_the_right() -> None:
    bins = reliability([0.0, 0.1, 0.11, 0.2, 1.0], [False, True, True, False, True])
    assert [(b.low, b.high, b.n) for b in bins] == [(0.0, 0.1, 2), (0.1, 0.2, 2), (0.9, 1.0, 1)]
    assert bins[0] == Bin(0.0, 0.1, pytest.approx(0.05), 0.5, 2)


def test_calibration_error_weighs_the_bins_by_their_answers() -> None:
    # Three at 0.95, two of them right: |2/3 - 0.95|. One at 0.25, wrong: 0.25.
    confidence, right = [0.95, 0.95, 0.95, 0.25], [True, True, False, False]
    assert calibration_error(confidence, right) == pytest.approx(3 / 4 * (0.95 - 2 / 3) + 1 / 4 * 0.25)
    assert calibration_error([1.0, 0.0], [True, False]) == 0
    assert calibration_error([1.0, 0.0], [False, True]) == 1


def test_brier_score_is_the_mean_square() -> None:
    assert brier_score([0.8, 0.4], [True, False]) == pytest.approx((0.04 + 0.16) / 2)
    assert brier_score([0.5], [True]) == 0.25


def test_calibration_agrees_with_scikit_learn() -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss

    rng = np.random.default_rng(7)
    confidence = rng.random(500)
    right = rng.random(500) < confidence**2
    bins = reliability(confidence.tolist(), right.tolist())
    accuracy, mean_confidence = calibration_curve(right, confidence, n_bins=10)
    assert [b.accuracy for b in bins] == pytest.approx(accuracy)
    assert [b.mean_confidence for b in bins] == pytest.approx(mean_confidence)
    assert brier_score(confidence.tolist(), right.tolist()) == pytest.approx(brier_score_loss(right, confidence))


@pytest.mark.parametrize(("confidence", "right"), [([1.2], [True]), ([float("nan")], [True]), ([0.5], []), ([], [])])
def test_what_has_no_calibration_is_rejected(confidence: list[float], right: list[bool]) -> None:
    for measure in (calibration_error, brier_score):
        with pytest.raises(ValueError, match=r"confidence|no answer"):
            measure(confidence, right)


@pytest.mark.parametrize(
    "reply",
    [
        "I don't know.",
        "I don’t know who leads the museum.",
        "I'm sorry, but I don't know.",
        "Sorry, I cannot answer this question based on the provided documents.",
        "The documents do not mention who founded the company. [1]",
        "The provided context does not contain enough information to answer the question.",
        "Based on the provided context, I cannot determine when the bridge was opened.",
        "Based on the documents you provided, the question cannot be answered.",
        "Unfortunately, there is no information about that in the sources. Please ask the museum itself.",
        "The founder is not mentioned in the provided documents.",
        "None of the sources say who leads the museum. They only discuss its opening hours.",
        "Not mentioned in the documents.",
        "**I do not have enough information.**",
        '"I don\'t know."',
        "Answer: unknown",
        "NOT FOUND",
        "N/A",
        "Non lo so.",
        "Mi dispiace, ma non lo so.",
        "I documenti non dicono chi ha fondato la società.",
        "Nei documenti non ci sono informazioni sul direttore.",
        "In base ai documenti forniti, non posso rispondere alla domanda.",
        "Il testo non lo specifica.",
        "Il nome del direttore non è menzionato nei documenti.",
        "NON TROVATO",
        "Ich weiß es nicht.",
        "Leider kann ich diese Frage anhand der Dokumente nicht beantworten.",
        "Die Dokumente enthalten keine Angaben über den Direktor.",
        "Der Name wird in den Dokumenten nicht erwähnt.",
        "Je ne sais pas.",
        "Désolé, je ne peux pas répondre à cette question.",
        "Les documents ne mentionnent pas le directeur.",
        "Il n'y a aucune information à ce sujet.",
        "No lo sé.",
        "Lo siento, pero no puedo responder a esta pregunta.",
        "Los documentos no mencionan al director.",
        "El nombre no se menciona en el texto.",
        "Não sei.",
        "Information not available.",
        "Cannot be determined.",
        "Cannot answer.",
        "The answer cannot be found in the documents.",
        "As an AI language model, I cannot answer this.",
        "I'm an AI assistant, so I can't answer that.",
        "The answer is not known.",
        "The requested information is not provided.",
        "The information provided is not sufficient to answer the question.",
        "There is nothing in the documents about the roof.",
        "I don't know, it is not in the documents.",
        "Unfortunately, the documents do not say who paid, when, or why.",
        "I do not have information about Rome, Milan or the roads that were built there.",
        "The documents do not say whether the roof, the walls or the floor were paid for.",
        "I'm sorry, the documents do not mention it, which means I cannot answer.",
        "I cannot answer this question, as the documents do not mention it.",
        "Informazione non disponibile.",
        "L'informazione richiesta non è disponibile.",
        "Le informazioni fornite non sono sufficienti per rispondere.",
        "Nei documenti non si parla del tetto.",
        "Non risulta dai documenti.",
        "Dai documenti non emerge chi abbia pagato.",
        "Non si parla del tetto nei documenti.",
        "La risposta non si trova nei documenti.",
        "Impossibile rispondere.",
        "Come modello linguistico, non posso rispondere.",
        "Mi dispiace, i documenti non lo dicono.",
        "I documenti non dicono quando, come o da chi è stato costruito.",
        "Non so chi ha pagato, non è indicato nei documenti.",
        "Informationen nicht verfügbar.",
        "Kann nicht bestimmt werden.",
        "Das lässt sich anhand der Dokumente nicht feststellen.",
        "Die Antwort ist nicht bekannt.",
        "Die Antwort ist in den Dokumenten nicht zu finden.",
        "Als KI-Sprachmodell kann ich diese Frage nicht beantworten.",
        "Die vorliegenden Informationen reichen nicht aus, um die Frage zu beantworten.",
        "In den Dokumenten ist vom Dach nicht die Rede.",
        "Das geht aus den Dokumenten nicht hervor.",
        "Aus den Dokumenten geht nicht hervor, wer das Dach bezahlt hat.",
        "Ich weiß nicht, wer das Dach bezahlt hat.",
        "Die Frage kann nicht beantwortet werden.",
        "Information non disponible.",
        "La réponse n'est pas connue.",
        "La réponse ne se trouve pas dans les documents.",
        "Impossible de répondre.",
        "En tant que modèle de langage, je ne peux pas répondre.",
        "En tant qu'IA, je ne peux pas répondre à cette question.",
        "Les informations fournies ne sont pas suffisantes.",
        "Dans les documents, il n'est pas question du toit.",
        "Cela ne ressort pas des documents.",
        "Ne peut être déterminé.",
        "Información no disponible.",
        "No se puede determinar.",
        "La respuesta no se encuentra en los documentos.",
        "La respuesta no es conocida.",
        "Como modelo de lenguaje, no puedo responder.",
        "La información proporcionada no es suficiente.",
        "En los documentos no se habla del tejado.",
        "No consta en los documentos.",
        "Informação não disponível.",
        "Como modelo de linguagem, não posso responder.",
        "",
        " [1]. ",
    ],
)
def test_a_reply_that_says_only_that_it_does_not_know_refuses(reply: str) -> None:
    assert refuses(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "The company said it does not know when the factory will open.",
        "I don't know the exact year, but it was after 1990.",
        "I do not know who designed it. However, Anna Keller opened it in 1931.",
        "The documents do not name the architect. It was built in 1931 by Anna Keller.",
        "The documents do not say who designed it; the bridge was opened in 1931.",
        "It was opened in 1931. The documents do not say by whom.",
        "“I Don't Know” is a song of 1956.",
        "Unknown Pleasures",
        "No information was lost in the fire.",
        "There is no information desk at the station.",
        "The treaty does not mention reparations.",
        "Nobody knows; the archive burned in 1920.",
        "The minister said that the figures are not mentioned in the documents.",
        "No.",
        "None",
        "La società ha detto di non sapere quando aprirà.",
        "Il ministro ha dichiarato che la somma non è indicata nei documenti.",
        "Non lo so, ma il ponte fu aperto nel 1931.",
        "Non ci sono treni il lunedì.",
        "Die Firma weiß nicht, wann die Fabrik öffnet.",
        "Es gibt keine Züge am Montag.",
        "L'entreprise ne sait pas quand l'usine ouvrira.",
        "Le musée n'est pas ouvert le lundi.",
        "La empresa no sabe cuándo abrirá.",
        "No se vendió la casa.",
        "El museo no está abierto los lunes.",
        "The text doesn't say who, only that it was 1974.",
        "The text doesn't say who only that it was 1974.",
        "The documents don't mention the cost of the roof, which was 5 million.",
        "I don't know who paid, the city did.",
        "I'm sorry, but I don't know who paid, the city did.",
        "Unfortunately, I don't know who paid, it was the city.",
        "I don't know for certain, I think it was the city.",
        "I don't know, probably in 1974.",
        "I don't know who designed the mill, Berti closed it.",
        "Cannot find module 'mill'",
        "As an AI, Deep Blue beat Kasparov.",
        "The answer is 42.",
        "Data not found in nature.",
        "It could not be opened.",
        "The bridge cannot be determined to be safe.",
        "I documenti non dicono chi, solo che era il 1974.",
        "I documenti non parlano del costo del tetto, che era di 5 milioni.",
        "Non so chi ha pagato, è stata la città.",
        "Non so chi ha pagato, l'ha fatto la città.",
        "Non so chi ha pagato, il comune ha pagato tutto.",
        "Non si parla più francese.",
        "Die Dokumente sagen nicht wer, nur dass es 1974 war.",
        "Die Dokumente nennen die Kosten des Daches nicht, die 5 Millionen betrugen.",
        "Ich weiß nicht, wer bezahlt hat, die Stadt hat es getan.",
        "Das Dach ist nicht bekannt.",
        "Les documents ne disent pas qui, seulement que c'était en 1974.",
        "Les documents ne mentionnent pas le coût du toit, qui était de 5 millions.",
        "Je ne sais pas qui a payé, la ville l'a fait.",
        "La ville ne se trouve pas en France.",
        "Los documentos no dicen quién, solo que fue en 1974.",
        "Los documentos no mencionan el coste del tejado, que fue de 5 millones.",
        "No sé quién pagó, fue la ciudad.",
        "No sé quién pagó, la ciudad lo hizo.",
        "No consta de tres partes.",
        "Como modelo se usó un tanque.",
        "Os documentos não mencionam o custo, que foi de 5 milhões.",
    ],
)
def test_a_reply_that_gives_something_does_not_refuse(reply: str) -> None:
    assert not refuses(reply)


def test_a_very_long_reply_is_judged_in_short_time() -> None:
    started = time.perf_counter()
    assert not refuses("the city was red, " * 5_000)
    assert not refuses("in the documents provided " * 5_000)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("language", ["en", "it", "de", "fr", "es", "pt"])
def test_our_own_refusals_are_known(language: str) -> None:
    assert refuses(prompts.render("refusal", language))
