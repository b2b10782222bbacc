"""Every measure against cases worked out by hand."""

import pytest

from eval.data import Quote
from eval.measures.abstention import due_refusal, needless_refusal
from eval.measures.citations import cited_relevant, verbatim
from eval.measures.containment import first_words, holds, holds_stem, is_right
from eval.measures.cost import Cost, cost
from eval.measures.interval import Figure, estimate
from eval.measures.language import language_right
from eval.measures.normalise import normalise, without_markers
from eval.measures.retrieval import retrieval
from eval.measures.token_f1 import token_f1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Broncos!", "broncos"),
        ("L'embargo", "embargo"),
        ("nell’Unità d' Italia", "nell unita d italia"),
        ("Perché l' Università", "perche universita"),
        ("un'azienda e gli altri", "azienda e altri"),
        ("STRASSE, Straße", "strasse strasse"),
        ("ﬁnance\u00a0２０２４", "finance 2024"),
        ("co\u00adfounder", "cofounder"),
        ("the U.S. and S.p.A.", "us and spa"),
        ("東京です", "東 京 で す"),
        ("हिन्दी में", "हिन्दी में"),
        ("", ""),
        ("?!", ""),
    ],
)
def test_normalise_folds_what_does_not_change_an_answer(text: str, words: str) -> None:
    assert normalise(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3.5", "3.5"),
        ("3,5 %", "3.5"),
        ("1.500 euro", "1500 euro"),
        ("$1,500", "1500"),
        ("1,234,567.89", "1234567.89"),
        ("1.234.567,89", "1234567.89"),
        ("0.125", "0.125"),
        ("12.05.2024", "12 05 2024"),
        ("1914-1918", "1914 1918"),
        ("in 1974.", "in 1974"),
        ("1,2 e 3", "1.2 e 3"),
        ("65,535", "65535"),
    ],
)
def test_normalise_keeps_the_value_of_numbers(text: str, words: str) -> None:
    assert normalise(text) == words


@pytest.mark.parametrize(("text", "kept"), [("the", "the"), ("A", "a"), ("Uno.", "uno"), ("La", "la")])
def test_an_article_alone_is_kept(text: str, kept: str) -> None:
    assert normalise(text) == kept


@pytest.mark.parametrize(
    ("answer", "accepted", "right"),
    [
        ("Nel 1974 finì l'embargo petrolifero.", "embargo", True),
        ("Finì l' Embargo.", "L'embargo", True),
        ("La città è Forlì", "forli", True),
        ("I Denver Broncos hanno vinto.", "i Broncos", True),
        ("Christian Laforte e Shan Shan Wong", "Shan Shan Wong", True),
        ("Shan Wong", "Shan Shan Wong", False),
        ("It is the capital", "cap", False),  # inside a word
        ("It was 35 points", "3.5", False),
        ("It was 3,5 points", "3.5", True),
        ("150 people", "15", False),
        ("the tower of Pisa", "The Tower", True),
        ("World War II", "World War I", False),
        ("Vitamin C", "vitamin A", False),
        ("首都は東京です", "東京", True),
        ("", "Broncos", False),
        ("anything", "", False),
        ("It rose 5 %", "%", True),
        ("It rose 5", "%", False),
    ],
)
def test_containment_compares_whole_words_in_a_row(answer: str, accepted: str, right: bool) -> None:
    assert holds(answer, accepted) is right


@pytest.mark.parametrize(
    ("answer", "stem", "right"),
    [
        ("due amministratori delegati", "amministrator", True),
        ("coamministratori", "amministrator", False),  # not at the word's beginning
        ("gli amministratori", "gli amministrator", True),
        ("in 2024", "202", False),  # a number is not a stem
        ("in 2024", "2024", True),
        ("3.5 points", "3", False),
        ("Université de Genève", "geneve", True),
        ("", "laforte", False),
    ],
)
def test_stem_matches_at_the_beginning_of_a_word(answer: str, stem: str, right: bool) -> None:
    assert holds_stem(answer, stem) is right


def test_all_of_wants_every_stem_in_any_order_and_ignores_the_accepted_answers() -> None:
    both = ("Laforte", "Wong")
    assert is_right("Shan Shan Wong and Christian Laforte", ["Christian Laforte and Shan Shan Wong"], both)
    assert not is_right("Christian Laforte", ["Christian Laforte"], both)
    assert not is_right("", [], both)


def test_one_accepted_answer_is_enough() -> None:
    assert is_right("Kubiak", ["Gary Kubiak", "Kubiak"])
    assert not is_right("Manning", ["Gary Kubiak", "Kubiak"])


def test_first_words_are_cut_at_white_space() -> None:
    assert first_words(" ".join(map(str, range(100)))).split() == [str(n) for n in range(60)]
    assert first_words("one  two\nthree", 2) == "one two"


def test_markers_are_not_words_of_the_answer() -> None:
    assert without_markers("Laforte [1] and Wong [2, 3].") == "Laforte and Wong."
    assert without_markers("array[index] stays") == "array[index] stays"


@pytest.mark.parametrize(
    ("answer", "accepted", "f1"),
    [
        ("Denver Broncos", ["Denver Broncos"], 1.0),
        ("the Denver Broncos", ["Broncos"], 2 / 3),  # 1 shared of 2 given and 1 wanted
        ("la crisi del petrolio", ["Crisi petrolifera"], 2 / 5),  # crisi; 3 given, 2 wanted
        ("b a b", ["b b b"], 4 / 5),  # "a" is an article: 2 shared of 2 given and 3 wanted
        ("Perché sì", ["perche si"], 1.0),
        ("red", ["blue", "red car"], 2 / 3),  # the best counts
        ("", ["red"], 0.0),
        ("", ["%"], 0.0),
        ("nothing shared", ["red"], 0.0),
    ],
)
def test_token_f1(answer: str, accepted: list[str], f1: float) -> None:
    assert token_f1(answer, accepted) == pytest.approx(f1)


def test_refusals_are_counted_in_both_directions() -> None:
    assert [needless_refusal(True, abstained) for abstained in (True, False)] == [1.0, 0.0]
    assert [due_refusal(False, abstained) for abstained in (True, False)] == [1.0, 0.0]
    assert needless_refusal(False, True) is None
    assert due_refusal(True, True) is None


def test_retrieval_counts_a_question_without_results_as_zero() -> None:
    values = retrieval({"q": ["d1"], "lost": ["d1"]}, {"q": ["d1"], "lost": []})
    assert values["lost"] == {"hit@1": 0.0, "hit@5": 0.0, "hit@10": 0.0, "mrr": 0.0}
    assert retrieval({"q": ["d1"]}, {}) == {"q": {"hit@1": 0.0, "hit@5": 0.0, "hit@10": 0.0, "mrr": 0.0}}


def test_retrieval_by_the_place_of_the_first_relevant_document() -> None:
    ranking = [f"x{n}" for n in range(5)] + ["good", "better"]
    values = retrieval({"q": ["better", "good"]}, {"q": ranking})
    assert values["q"] == {"hit@1": 0.0, "hit@5": 0.0, "hit@10": 1.0, "mrr": pytest.approx(1 / 6)}


def test_a_document_found_twice_takes_one_place() -> None:
    values = retrieval({"q": ["good"]}, {"q": ["x", "x", "x", "x", "x", "good"]})
    assert values["q"]["hit@5"] == 1.0
    assert values["q"]["mrr"] == 0.5


def test_questions_without_relevant_documents_have_no_retrieval() -> None:
    assert retrieval({"q": []}, {"q": ["x"]}) == {}


def test_retrieval_keeps_the_order_of_many_results() -> None:
    ranking = [f"d{n:03}" for n in range(500)]
    assert retrieval({"q": ["d499"]}, {"q": ranking})["q"]["mrr"] == pytest.approx(1 / 500)


def test_quote_is_verbatim_only_where_it_equals_the_text_at_its_offsets() -> None:
    text = "Il prezzo salì a 12 dollari."
    texts = {"d": text}
    good = Quote("d", 3, 9, "prezzo", 1.0)
    shifted = Quote("d", 4, 10, "prezzo", 1.0)
    folded = Quote("d", 10, 14, "sali", 1.0)
    unknown = Quote("other", 3, 9, "prezzo", 1.0)
    empty = Quote("d", 3, 3, "", 1.0)
    from_the_end = Quote("d", -8, -1, "dollari", 1.0)
    assert verbatim([good], texts.get) == (1, 1)
    assert verbatim([good, shifted, folded, unknown, empty, from_the_end], texts.get) == (1, 6)
    assert verbatim([], texts.get) == (0, 0)


def test_cited_documents_count_once() -> None:
    assert cited_relevant(["a", "b", "a"], ["a", "c"]) == (1, 2)
    assert cited_relevant([], ["a"]) == (0, 0)


def test_answer_language() -> None:
    italian = "Il prezzo del petrolio è salito a quasi dodici dollari al barile."
    assert language_right(italian, "it") == 1.0
    assert language_right(italian, "en") == 0.0


def test_a_name_has_no_language() -> None:
    assert language_right("Percy Shelley", "it") is None
    assert language_right("The price of a barrel had risen to twelve dollars.", "") is None


def test_cost_is_over_the_known_values() -> None:
    assert cost([1.0, None, 3.0, 2.0]) == Cost(median=2.0, p95=2.9, n=3)
    assert cost([None]) == Cost(None, None, 0)


def test_interval_of_nothing_is_nothing() -> None:
    assert estimate([]) == Figure(None, 0, None, None)
    assert estimate([(0, 0)]) == Figure(None, 0, None, None)


def test_interval_holds_the_share_and_comes_out_the_same_each_time() -> None:
    parts = [(1, 1)] * 30 + [(0, 1)] * 10
    figure = estimate(parts)
    assert figure == estimate(parts)
    assert (figure.value, figure.n) == (0.75, 40)
    # The normal approximation gives 0.75 +- 1.96 * sqrt(0.75 * 0.25 / 40) = 0.616 to 0.884.
    assert figure.low == pytest.approx(0.616, abs=0.03)
    assert figure.high == pytest.approx(0.884, abs=0.03)


def test_none_of_forty_is_not_proof_of_none() -> None:
    bound = round(0.025 ** (1 / 40), 6)  # how likely each trial must be for 40 of 40 to happen once in 40 tries
    assert estimate([(0, 1)] * 40) == Figure(0.0, 40, 0.0, round(1 - bound, 6))
    assert estimate([(2, 2)] * 40) == Figure(1.0, 80, bound, 1.0)


def test_share_of_quotes_weighs_each_quote_once() -> None:
    assert estimate([(1, 1), (0, 3)]).value == 0.25
    assert estimate([(1, 1), (0, 3)]).n == 4
