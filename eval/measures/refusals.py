"""How replies say that they do not know, by language: regular expressions for `eval.measures.abstention.refuses`.

They are held against folded words with single spaces between (`index.terms`): lower case, no accents, no punctuation,
cut at apostrophes, so that "I don't know." reads "i don t know". DOCS stands for "the documents given". What ends a
refusal at a comma is held against the lower-case text instead, whose accents part Italian "è" (is) from "e" (and).
"""

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Tongue:
    """How one language refuses.

    Where a part of a reply begins with one of `begins`, or is one of `whole` from end to end, it refuses. `preface`
    may stand before a refusal or alone, one of `idle` adds nothing to one, and `but` begins a new part. So does, after
    a refusal and a comma, one of `openers`, and one of `verbs` after up to four words that are none of `links`.
    """

    docs: str
    but: str
    openers: str
    links: str
    verbs: str
    preface: tuple[str, ...]
    begins: tuple[str, ...]
    whole: tuple[str, ...]
    idle: tuple[str, ...]

    @cached_property
    def part_end(self) -> re.Pattern[str]:
        """Between two parts."""
        return re.compile(rf"\b(?:{self.but})\b")

    @cached_property
    def clause_end(self) -> re.Pattern[str]:
        """Between a refusal and a clause that may give something all the same, in lower-case text."""
        subject = rf"(?:(?!(?:{self.links})\b)[\w'’.-]+\s+){{1,4}}"
        return re.compile(rf",\s+(?=(?:{self.openers})\b|{subject}(?:{self.verbs})\b)|\s+(?=only that\b)")

    @cached_property
    def refusal(self) -> re.Pattern[str]:
        """A part that refuses, from its beginning."""
        return self._part(rf"{'|'.join(self.begins)}|(?:{'|'.join(self.whole)})\Z")

    @cached_property
    def nothing(self) -> re.Pattern[str]:
        """A part that says nothing, from its beginning."""
        return self._part(rf"\Z|{'|'.join(self.idle)}")

    def _part(self, pattern: str) -> re.Pattern[str]:
        # Not stripped beforehand: "nei documenti" is a preface, and begins "nei documenti non si parla di ..." too.
        preface = rf"(?:(?:{'|'.join(self.preface)})(?: |\Z))*"
        return re.compile(rf"\A{preface}(?:{pattern})".replace("DOCS", self.docs))


ENGLISH = Tongue(
    docs=r"(?:(?:any|all|of|the|these|this|those|your|our|my|provided|given|available|supplied|retrieved|above|"
    r"search) )*"
    r"(?:documents?|sources?|contexts?|texts?|passages?|articles?|excerpts?|snippets?|information|materials?|data|"
    r"results|knowledge base)\b"
    r"(?: (?:(?:that )?(?:(?:you|i|we) (?:have )?|(?:have|has|were|was) (?:been )?))?"
    r"(?:provided|given|gave|available|above|supplied|retrieved|shared|to me)\b)*",
    but="but|however|although|though|instead|nevertheless",
    openers="only|which|it|he|she|they|there|i (?:think|believe|guess|suppose|assume)|probably|perhaps|maybe|possibly",
    links="who|what|when|where|why|how|which|whose|whom|whether|if|as|since|because|that|or|nor|not|than|given|based|"
    "from|in|at|on|about",
    verbs="is|are|was|were|has|have|had|did|does|do|will|would|can|could|may|might|must|should|"
    r"\w+ed (?:it|them|him|her|the|an?)",
    preface=(
        "sorry(?: that)?",
        "i (?:m|am) (?:very |so |really )?(?:sorry|afraid)(?: that)?",
        "i apologi[sz]e(?: for the confusion)?|apologies|again|unfortunately|regrettably|therefore|so|thus|answer|and",
        "(?:based (?:up)?on|according to|from|given|in) DOCS|which (?:means|is why)(?: that)?",
        r"(?:as|i (?:m|am)(?: only| just)?) an? (?:(?:large|language|artificial|intelligence|helpful|ai) ?)*"
        r"(?:ai|model|assistant|intelligence)?",
    ),
    begins=(
        r"i (?:really |just |honestly )?(?:do not|don t) (?:actually )?know\b",
        r"i (?:(?:do not|don t) (?:\w+ly )?|neither )have\b",
        r"i (?:cannot|can t|can not|could not|couldn t|did not|didn t|(?:m|am|was) (?:unable|not able) to)"
        r" (?:\w+ly )?(?:answer|find|determine|say|tell|locate|provide|identify|confirm|give|see|verify|help|assist|"
        r"advise|explain|do)\b",
        r"i (?:m|am) not (?:sure|certain|aware of)\b|i have no (?:idea|information|answer|data|knowledge)\b",
        r"(?:(?:the|this|that|your|an|any) (?:question|answer|information) |it |this |that )?"
        r"(?:cannot|can t|can not|could not|couldn t) be (?:determined|answered|established|inferred)\b",
        r"(?:the|this|that|an|any) (?:answer|information) (?:cannot|can t|can not|could not|couldn t) be"
        r" (?:found|given|provided|known)\b",
        r"(?:cannot|can t|can not|could not|unable to) (?:answer|determine)\b",
        r"DOCS (?:(?:is|are|was|were) (?:not |in)|(?:isn|aren) t )(?:enough|sufficient)\b",
        r"it (?:is|s) (?:not possible|impossible) to (?:answer|determine|say|tell|know)\b",
        r"it (?:is|s) (?:unclear|not (?:clear|stated|mentioned|specified|said)) (?:from|in|by) DOCS",
        r"there (?:is|s|are) (?:no|not any|not enough|insufficient) (?:\w+ )?"
        r"(?:information|mention|answer|data|details?|indication|references?)"
        r"(?:\Z| (?:about|on|regarding|concerning|of|to|in|available|provided|that|as|for|given|from)\b)",
        r"(?:no|not enough|insufficient) (?:\w+ )?(?:information|mention|answer|details?)(?: (?:is|was|are|were))?"
        r" (?:available|provided|given|found|about|regarding|concerning|in DOCS)\b",
        r"none of DOCS|(?:there (?:is|s) )?nothing in DOCS",
        r"DOCS (?:(?:do|does|did|could|can) not|(?:don|doesn|didn|couldn|can) t|cannot)"
        r" (?:(?:explicitly|directly|clearly|specifically|actually|even|seem to|appear to|help|me) )*"
        r"(?:mention|say|state|specify|contain|provide|give|include|answer|tell|indicate|address|discuss|name|offer|"
        r"have|cover|reveal|disclose|explain|describe|identify|show|allow|list|hold)\b",
    ),
    whole=(
        r"(?:it is |it s |this is )?not (?:found|mentioned|stated|specified|given|provided|available|known|answerable|"
        r"in)(?: (?:(?:anywhere )?(?:in|by|from) )?DOCS)?",
        r"(?:(?:the|this|that|any|such) )?(?:\w+ )?(?:information|answer|data|details?)"
        r"(?: (?:requested|(?:to|for) (?:this|that|the|your) question))?"
        r" (?:(?:(?:is|are|was|were) )?not|isn t|aren t) (?:\w+ly )?"
        r"(?:available|known|found|provided|given|included|in)(?: (?:(?:in|by|from) )?DOCS)?",
        r"unknown|unanswerable|n a|no (?:answer|information|idea|clue)|not enough (?:information|context)",
        r"(?:(?!(?:said|says|say|told|claims?|claimed|reported|admitted|added|that)\b)\w+ ){1,12}"
        r"(?:(?:is|are|was|were) not|(?:isn|aren|wasn|weren) t) (?:\w+ly )?(?:mentioned|stated|specified|given|"
        r"provided|found|named|discussed|covered|included|disclosed|answered|available)"
        r"(?: anywhere)? (?:in|by|from) DOCS",
    ),
    idle=(
        r"(?:please|if you|let me know|you (?:may|might|can|could|should)|feel free|thanks?)\b",
        r"i (?:would |d )?(?:recommend|suggest|advise)\b|(?:could|can|would) you\b",
        r"i (?:d|would|will|ll|m|am) (?:be )?(?:happy|glad)\b|which (?:you|would)\b",
        r"(?:DOCS|it|they) (?:only|mainly|mostly|primarily|just) (?:discuss|describe|cover|focus|talk|deal|concern)",
    ),
)
ITALIAN = Tongue(
    docs=r"(?:(?:il|lo|la|i|gli|le|l|in|nel|nello|nella|nell|nei|negli|nelle|dal|dai|dalle|dei|degli|delle|questi|questo|"
    r"queste|tra|fra|mie|tue) )*"
    r"(?:document[oi]|test[oi]|font[ei]|contesto|passagg(?:io|i)|bran[oi]|articol[oi]|estratt[oi]|informazioni|"
    r"materiale|dati)\b"
    r"(?: (?:fornit[oiea]|disponibil[ei]|dat[oiea]|consultat[oi]|recuperat[oi]|a|mia|disposizione|che|ho|hai|mi)\b)*",
    but="ma|pero|tuttavia|comunque|invece",
    openers="sol(?:o|tanto)|unicamente|(?:il|la) (?:che|quale)|forse|probabilmente|credo|penso|ritengo|"
    r"l['’]h(?:a|anno)|che (?:è|era|erano|fu|furono|sono|ha|aveva|cost\w+|ammonta\w*)|"
    r"è stat[oaie] (?:il|lo|la|i|gli|le|un|una|l)",
    links="chi|che|cosa|quando|dove|perché|come|quale|quali|quant[oaie]|se|o|né|poiché|dato|visto|cui|in|ne[il]|nella",
    verbs="è|era|erano|fu|furono|sono|(?:l['’])?(?:ha|hanno)|aveva|avevano|sarà|viene|venne",
    preface=(
        "mi (?:di)?spiace|spiacente|purtroppo|scusa|scusami|risposta|quindi|pertanto|e",
        "(?:(?:sulla base|in base|secondo|stando)(?: (?:ai|agli|alle|al|alla|dei|delle|del))?|in|nei) DOCS",
        r"(?:come|in quanto|sono)(?: solo)?(?: (?:un|una|modello|di|linguaggio|linguistico|ia|ai|intelligenza|"
        r"artificiale|assistente|virtuale)\b)+",
    ),
    begins=(
        r"(?:io )?non (?:lo )?(?:so|saprei|conosco)\b",
        r"(?:non (?:posso|riesco a|sono in grado di|e possibile|si puo|mi e possibile)|impossibile)"
        r" (?:rispond|trov|determin|dir|stabilir|forni|saper|individuar)",
        r"(?:io )?non (?:ho|dispongo di|possiedo|trovo|ho trovato) (?:\w+ ){0,3}"
        r"(?:informazion|rispost|dati\b|riferiment|notizi|element|idea\b)",
        r"non (?:ci sono|c e|vi sono|vi e|esistono|sono presenti|e presente|risultano) (?:\w+ ){0,3}"
        r"(?:informazion|rispost|menzion|riferiment|dati\b|indicazion)",
        r"(?:nessun|nessuna)(?: delle| dei)? (?:document|font|test|pass|bran)\w* (?:dic|menzion|contien|parl|rispond)",
        r"DOCS non (?:(?:lo|ne|mi|esplicitamente|si|se|fa|fanno|vien[ei]|vengono|e|sono|mai) )*"
        r"(?:dic|menzion|specific|indic|cont|fornisc|riport|rispond|parl|precis|cit|dann|da\b|rivel|inclu|spieg|permett|"
        r"consent|offr|chiari|trov|legg|accenn|risult|emerg|evinc|deduc|ricav|bast|sufficient|nomina|cenno|riferimento)",
        r"non (?:(?:lo|si|se|ne|vien[ei]|fa|e|sono|mai) )*"
        r"(?:risult|emerg|evinc|deduc|figur|parl|menzion|accenn|dic|cit|trov)\w* (?:\w+ ){0,6}?DOCS",
        r"(?:la )?risposta non (?:si|e|puo)\b (?:\w+ )?(?:trov|conosc|not[ao]\b|dat[ao]\b|disponibil|present|dedu)",
        r"(?:a |la |questa |alla )+domanda non (?:si )?puo\b",
    ),
    whole=(
        r"(?:non|mai) (?:e )?(?:trovat|menzionat|specificat|indicat|disponibil|present|precisat|riportat|not)[oaie]"
        r"(?: DOCS)?|non (?:risulta|e dato saper(?:e|lo)|si sa)|non puo essere (?:determinat|stabilit)[oa]",
        r"(?:(?:l|le|la|il|i) )?(?:informazion[ei]|dat[oi])(?: richiest[aoei])? non (?:e |sono )?"
        r"(?:disponibil|trovat|present|fornit|indicat|not|reperibil|specificat)[oaie](?: DOCS)?",
        r"nessuna (?:informazione|risposta|menzione|idea)(?: (?:trovata|disponibile|DOCS))*|sconosciut[oa]",
        r"(?:(?!(?:ha|detto|dice|dichiarat\w+|che)\b)\w+ ){0,12}non (?:e|sono|viene|vengono) (?:stat[oaie] )?"
        r"(?:menzionat|indicat|specificat|riportat|precisat|citat|present)[oaie] DOCS",
    ),
    idle=(
        r"(?:per favore|fammi sapere|puoi|potresti|grazie|ti invito|(?:ti |vi )?consiglio)\b",
        r"se (?:vuoi|hai|puoi|desideri|lo)\b",
    ),
)
GERMAN = Tongue(
    docs=r"(?:(?:in|aus|von|den|die|der|das|dem|diese[nmrs]?|alle[nr]?|keine[sr]?|vorliegenden?|vorhandenen?|"
    r"bereitgestellte[nr]?|gegebenen?|angegebenen?|verfugbaren?|mir|zur verfugung gestellten) )*"
    r"(?:dokument(?:e|en|s)?|text(?:e|en|es)?|quellen?|kontext|textstellen?|passagen?|auszugen?|auszug|informationen|"
    r"artikeln?|unterlagen|abschnitte?n?)\b",
    but="aber|jedoch|allerdings|sondern|dennoch|hingegen",
    openers="nur|lediglich|vermutlich|wahrscheinlich|vielleicht|ich (?:glaube|denke|vermute)",
    links="wer|was|wann|wo|wohin|warum|wieso|wie|welche[rsnm]?|ob|dass|weil|da|wenn|falls|sofern|oder|noch|um|im|in|aus",
    verbs=r"war|waren|ist|sind|wurden?|hat|haben|hatten?|wird|werden|betrug\w*|kostete\w*",
    preface=(
        "leider|(?:es )?tut mir leid|entschuldigung|antwort|daher|und",
        "(?:laut|basierend auf|nach|auf (?:der )?grundlage) DOCS",
        r"als(?: (?:eine?|ki|sprachmodell|modell|kunstliche|intelligenz|assistent|basiertes|grosses)\b)+",
    ),
    begins=(
        r"(?:das )?weiss ich (?:leider )?nicht\b|ich weiss (?:es |das |leider )*nicht\b",
        r"(?:ich (?:kann|konnte)|(?:kann|konnte) ich) (?:\w+ ){0,6}(?:nicht (?:beantwort|find|sagen|bestimm)|"
        r"keine (?:informationen|antwort|angaben))",
        r"(?:ich (?:habe|finde)|habe ich|finde ich) (?:leider |dazu |hierzu )*keine (?:informationen|angaben|antwort)",
        r"DOCS (?:enthalt|geb|gib|lief|biet|erwahn|sag|beantwort|nenn|mach|steh|find|reich|genug|geh|sprech)\w* "
        r"(?:\w+ ){0,6}(?:nicht|nichts|keine?[nr]?)\b",
        r"DOCS (?:wird|werden|ist|sind) (?:\w+ ){0,6}?(?:nicht|keine?) (?:\w+ ){0,4}?"
        r"(?:erwahn|genannt|angegeben|rede\b|enthalten|zu finden|beschrieben|ausreichend)",
        r"(?:(?:es|das|dies|die antwort) )?(?:kann|konnte|lasst sich) (?:\w+ ){0,5}?nicht"
        r" (?:beantwort|bestimm|festgestell|feststell|ermittel|gefunden|finden|sagen)",
        r"(?:(?:es|das|dies) )?geht (?:\w+ ){0,3}?DOCS nicht hervor",
        r"es gibt (?:\w+ ){0,3}keine (?:informationen|angaben|hinweise|antwort)",
        r"(?:diese|die) frage (?:kann|konnte|lasst sich) (?:\w+ ){0,7}nicht beantwort",
    ),
    whole=(
        r"(?:das|es|dies) (?:wird|ist) (?:\w+ ){0,2}DOCS nicht \w+",
        r"(?:die |diese )?(?:information(?:en)?|angaben?|antwort|daten)(?: (?:ist|sind|wurde|wurden))?(?: DOCS)? nicht"
        r" (?:verfugbar|bekannt|vorhanden|gefunden|enthalten|angegeben|zu finden)(?: DOCS)?",
        r"nicht (?:gefunden|erwahnt|angegeben|bekannt|beantwortbar)(?: DOCS)?|unbekannt",
        r"keine (?:angaben?|information(?:en)?|antwort|ahnung)(?: (?:verfugbar|gefunden|vorhanden))?",
        r"(?:(?!(?:sagte|sagt|erklarte|dass)\b)\w+ ){1,12}(?:wird|werden|ist|sind) DOCS nicht "
        r"(?:erwahnt|genannt|angegeben|enthalten)",
    ),
    idle=(r"(?:bitte|falls|wenn sie|wenn du|sie konnen|du kannst|gerne?|danke|konnten sie)\b",),
)
FRENCH = Tongue(
    docs=r"(?:(?:dans|d|de|le|la|les|l|ces|ce|cet|cette|des|aucun|aucune|parmi|vos|mes) )*"
    r"(?:documents?|sources?|textes?|contexte|passages?|extraits?|articles?|informations?|donnees)\b"
    r"(?: (?:fournie?s?|disponibles?|donnee?s?|consultee?s?|ci|dessus|a|ma|disposition)\b)*",
    but="mais|cependant|toutefois|neanmoins|en revanche",
    openers="seulement|uniquement|juste|c['’](?:est|était)|ils?|elles?|peut-être|probablement|je (?:crois|pense)|"
    r"(?:qui|laquelle|lequel) (?:est|était|fut|sont|étaient|coût\w+|s['’]élev\w+)",
    links="qui|que|quand|où|pourquoi|comment|quel(?:le)?s?|combien|si|ou|ni|car|puisque|comme|parce|dont|dans|pour",
    verbs="est|était|fut|sont|étaient|(?:l['’])?(?:a|ont|avait)|sera",
    preface=(
        "(?:je suis )?desolee?|malheureusement|helas|reponse|donc|et",
        r"(?:d apres|selon|sur la base|dans) DOCS",
        r"(?:en tant que?|comme)(?: (?:un|une|ia|modele|de|langage|intelligence|artificielle|assistant)\b)+",
    ),
    begins=(
        r"je (?:ne )?(?:le )?(?:sais|connais) pas\b|je l ignore\b|je n en sais rien\b",
        r"je (?:ne )?(?:peux|puis|suis|parviens) pas (?:en mesure de |capable de |a |vous )*"
        r"(?:repond|trouv|determin|dire|fourn)",
        r"je (?:n ai|ne trouve|ne dispose) (?:\w+ ){0,4}(?:information|reponse|element|mention|idee)",
        r"DOCS n(?:e)? (?:\w+ ){1,3}(?:pas|aucune?|rien)\b",
        r"il n (?:y a|existe) (?:pas|aucune?) (?:\w+ ){0,2}(?:information|mention|reponse|reference)",
        r"(?:(?:il est )?impossible|il n est pas possible) (?:de|d|a) (?:y )?(?:repond|determin|dire|savoir)",
        r"DOCS sont insuffisant|il n est (?:pas|nullement) (?:question|fait mention)",
        r"(?:(?:cela|ca|(?:la|cette) (?:reponse|question)) )?ne peut (?:pas )?etre (?:determin|trouv|etabli|donn)",
        r"(?:(?:cela|ca|la reponse) )?ne (?:ressort|figure|resulte|apparait|se trouve) pas (?:\w+ ){0,3}?DOCS",
    ),
    whole=(
        r"(?:non|pas) (?:mentionn|trouv|precis|indiqu|specifi)ee?s?(?: DOCS)?|inconnue?|pas de reponse",
        r"(?:(?:l|la|les|cette) )?(?:informations?|reponse|donnees?) (?:n est pas|ne sont pas|non|pas)"
        r" (?:disponibles?|(?:connu|trouv|fourni|precis|mentionn)e*s?)(?: DOCS)?",
        r"aucune (?:information|reponse|mention|idee)(?: (?:disponible|trouvee|DOCS))*",
        r"(?:(?!(?:dit|declare|qu|que)\b)\w+ ){1,12}n (?:est|sont) pas (?:mentionn|precis|indiqu|specifi)ee?s? DOCS",
    ),
    idle=(
        r"(?:si vous|si tu|n hesite\w*|veuillez|vous (?:pouvez|pourriez)|merci|pourriez vous)\b",
        r"je vous (?:invite|conseille)\b",
    ),
)
SPANISH = Tongue(
    docs=r"(?:(?:en|de|el|la|los|las|estos|este|esta|del|ningun|ninguno|mis|sus) )*"
    r"(?:documentos?|fuentes?|textos?|contexto|pasajes?|fragmentos?|articulos?|informacion|datos)\b"
    r"(?: (?:proporcionad[oa]s?|disponibles?|dad[oa]s?|facilitad[oa]s?|consultad[oa]s?|anterior(?:es)?)\b)*",
    but="pero|sin embargo|aunque|no obstante",
    openers="s[oó]lo|solamente|únicamente|fue(?:ron)? (?:el|la|los|las|un|una|en)|creo|quizás?|probablemente|"
    r"(?:que|(?:el|la|lo) (?:cual|que)) (?:es|era|fue|son|fueron|ha|cost\w+|ascend\w+)",
    links="qui[eé]n|qu[eé]|cu[aá]ndo|d[oó]nde|c[oó]mo|cu[aá]l|cu[aá]nt[oa]s?|por|porque|si|o|ni|ya|en|para",
    verbs="es|era|fue|son|fueron|ha|han|había|está|estaba|hizo|pagó|será",
    preface=(
        "lo siento|lamentablemente|desafortunadamente|por desgracia|disculpa|respuesta|y",
        "(?:segun|con base|en base a|de acuerdo con) DOCS",
        r"como(?: (?:un|una|modelo|de|lenguaje|ia|inteligencia|artificial|asistente|virtual)\b)+",
    ),
    begins=(
        r"(?:yo )?no lo se\b|(?:yo )?no se (?:quien|cual|cuando|donde|como|cuant|la respuesta|si\b)",
        r"(?:no (?:puedo|pude|soy capaz de|es posible|se puede|me es posible)|imposible)"
        r" (?:respond|encontr|determin|decir|saber|contest|proporcion)",
        r"(?:en DOCS )?no (?:tengo|dispongo de|cuento con|encuentro|encontre|he encontrado|hay|existe|se encontro|"
        r"se encuentra) (?:\w+ ){0,2}(?:informacion|respuesta|datos|mencion|referencia)",
        r"DOCS no (?:(?:lo|se|es|son|resultan?) )*"
        r"(?:sufic|bast|dice|mencion|especific|indic|contien|proporcion|respond|habla|cita|precis|ofrec|revel|"
        r"inclu|permit|aclar|explic|contest)",
        r"no (?:se )?(?:menciona|especifica|indica|precisa|dice|habla|encuentra|desprende|consta|figura|aparece)"
        r" (?:\w+ ){0,4}?DOCS",
        r"la respuesta no (?:se (?:encuentra|conoce|puede)|esta|aparece|figura|es conocida|puede)\b",
        r"no puede (?:determinar|responder|establecer)se\b",
    ),
    whole=(
        r"no (?:lo )?se|no (?:mencionad|especificad|encontrad|indicad)[oa]s?(?: DOCS)?|no disponible|desconocid[oa]",
        r"(?:ninguna|sin) (?:informacion|respuesta)|no (?:consta|se sabe)",
        r"(?:(?:la|los) )?(?:informacion|respuesta|datos) no (?:(?:esta|estan|es) )?"
        r"(?:disponibles?|conocid[oa]s?|encontrad[oa]s?|proporcionad[oa]s?)(?: DOCS)?",
        r"(?:(?!(?:dijo|dice|declaro|que)\b)\w+ ){1,12}no (?:se|esta|es|son|estan|aparece|aparecen) (?:\w+ )?DOCS",
    ),
    idle=(
        r"(?:por favor|puedes?|podrias?|gracias|te recomiendo)\b",
        r"si (?:quieres|desea|tienes|necesita)",
    ),
)
PORTUGUESE = Tongue(
    docs=r"(?:(?:o|a|os|as|no|na|nos|nas|em|estes|este) )*"
    r"(?:documentos?|fontes?|textos?|contexto|passagens?|trechos?|artigos?|informacoes)\b"
    r"(?: (?:fornecid[oa]s?|disponive(?:l|is)|dad[oa]s?)\b)*",
    but="mas|porem|no entanto|contudo",
    openers="só|apenas|somente|talvez|provavelmente|foi (?:o|a|um|uma|em)|que (?:é|era|foi|são|custou)",
    links="quem|que|quando|onde|como|qual|quanto|porque|se|ou|nem|em|para",
    verbs="é|era|foi|são|foram|tem|tinha|está|fez|pagou",
    preface=(
        r"desculpe|lamento|infelizmente|resposta|(?:com base|segundo|de acordo com) DOCS",
        r"como(?: (?:um|uma|modelo|de|linguagem|ia|inteligencia|artificial|assistente)\b)+",
    ),
    begins=(
        r"(?:eu )?nao (?:o )?(?:sei|conheco)\b|nao (?:posso|consigo|e possivel) (?:respond|encontr|determin|dizer)",
        r"nao (?:tenho|encontrei|ha|existe|existem) (?:\w+ ){0,2}(?:informac|resposta|menc)",
        r"DOCS nao (?:(?:o|se|sao|e) )*"
        r"(?:sufic|bast|fala|diz|mencion|especific|indic|cont|fornec|respond|cita|revel|inclu)",
        r"nao (?:consta|aparece)m? (?:\w+ ){0,3}?DOCS|a resposta nao (?:se encontra|esta|e conhecida)\b",
    ),
    whole=(
        r"nao (?:mencionad|especificad|encontrad|indicad)[oa](?: DOCS)?|desconhecid[oa]|nao consta",
        r"(?:(?:a|as) )?informac(?:ao|oes) nao (?:(?:esta|estao) )?disponive(?:l|is)(?: DOCS)?",
    ),
    idle=(r"(?:por favor|se quiser|se voce|pode|obrigad[oa])\b",),
)
TONGUES = (ENGLISH, ITALIAN, GERMAN, FRENCH, SPANISH, PORTUGUESE)
