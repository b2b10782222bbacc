"""The page's own words, in English and Italian. Nothing here comes from documents or models."""

import re
from collections.abc import Mapping

Words = Mapping[str, str]

WORDS: Mapping[str, Words] = {
    "en": {
        "language": "en",
        "tagline": "Answers from your own documents, with the exact words they rest on.",
        "one_document": "1 document on this computer",
        "many_documents": "{n} documents on this computer",
        "no_documents": "No documents yet. Add some in a terminal: fonte add FOLDER",
        "placeholder": "Ask your documents",
        "ask": "Ask",
        "stop": "Stop",
        "new": "New conversation",
        "examples": "For example",
        "searching": "Searching your documents",
        "reading": "Reading the passages",
        "passages": "Passages",
        "nearest": "Nearest passages",
        "no_passages": "No passage comes near this question.",
        "other_passages": "Other passages: {n}",
        "partly": "partly supported",
        "unsupported": "no quote supports this",
        "refused": "Your documents do not answer this",
        "refused_help": "The passages that come nearest are shown. Other words may help, or further documents.",
        "stopped": "Stopped.",
        "failed": "Something went wrong while answering. The reason is in the terminal that runs fonte.",
        "timings": "{first} s to the first word, {total} s in all",
        "total": "{total} s in all",
        "cached": "answered before from the same documents",
        "page": "p. {n}",
        "characters": "characters {start} to {end}",
        "score": "score {score}",
        "quote": "Quote {n}, from: {title}",
        "back": "Quote {n}: back to the answer",
        "decimal": ".",
    },
    "it": {
        "language": "it",
        "tagline": "Risposte dai tuoi documenti, con le parole esatte su cui si fondano.",
        "one_document": "1 documento su questo computer",
        "many_documents": "{n} documenti su questo computer",
        "no_documents": "Ancora nessun documento. Aggiungine da un terminale: fonte add CARTELLA",
        "placeholder": "Chiedi ai tuoi documenti",
        "ask": "Chiedi",
        "stop": "Ferma",
        "new": "Nuova conversazione",
        "examples": "Per esempio",
        "searching": "Cerco nei tuoi documenti",
        "reading": "Leggo i passi",
        "passages": "Passi",
        "nearest": "Passi più vicini",
        "no_passages": "Nessun passo si avvicina a questa domanda.",
        "other_passages": "Altri passi: {n}",
        "partly": "sostenuto in parte",
        "unsupported": "nessuna citazione lo sostiene",
        "refused": "I tuoi documenti non rispondono a questo",
        "refused_help": "Accanto vedi i passi più vicini. Può aiutare dirlo con altre parole, o aggiungere documenti.",
        "stopped": "Fermato.",
        "failed": "Qualcosa è andato storto durante la risposta. Il motivo è nel terminale in cui gira fonte.",
        "timings": "{first} s alla prima parola, {total} s in tutto",
        "total": "{total} s in tutto",
        "cached": "già risposto, sugli stessi documenti",
        "page": "p. {n}",
        "characters": "caratteri da {start} a {end}",
        "score": "punteggio {score}",
        "quote": "Citazione {n}, da: {title}",
        "back": "Citazione {n}: torna alla risposta",
        "decimal": ",",
    },
}


def words_for(languages: str) -> Words:
    """Return the words of the first known language in `languages`: a code, or an Accept-Language header."""
    weighted = [_weighted(part) for part in languages.split(",")]
    ordered = sorted(weighted, key=lambda item: -item[1])  # stable: equal weights keep the header's order
    return next((WORDS[code] for code, weight in ordered if weight > 0 and code in WORDS), WORDS["en"])


def _weighted(part: str) -> tuple[str, float]:
    code, _, options = part.partition(";")
    weight = re.fullmatch(r"q=([01](?:\.\d{0,3})?)", options.strip())
    return code.strip().lower().split("-")[0], float(weight[1]) if weight else 1.0
