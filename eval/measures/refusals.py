"""How replies say that they do not know, by language: regular expressions for `eval.measures.abstention.refuses`.

They are held against folded words with single spaces between (`index.terms`): lower case, no accents, no punctuation,
cut at apostrophes, so that "I don't know." reads "i don t know". DOCS stands for "the documents given".
"""

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Tongue:
    """How one language refuses.

    Where a part of a reply begins with one of `begins`, or is one of `whole` from end to end, it refuses. `preface`
    may stand before a refusal or alone, one of `idle` adds nothing to one, and `but` begins a new part.
    """

    docs: str
    but: str
    preface: tuple[str, ...]
    begins: tuple[str, ...]
    whole: tuple[str, ...]
    idle: tuple[str, ...]

    @cached_property
    def part_end(self) -> re.Pattern[str]:
        """Between two parts."""
        return re.compile(rf"\b(?:{self.but})\b")

    @cached_property
    def before(self) -> re.Pattern[str]:
        """What may stand before a refusal."""
        return self._compile(rf"\A(?:(?:{'|'.join(self.preface)})(?: |\Z))+")

    @cached_property
    def refusal(self) -> re.Pattern[str]:
        """A part that refuses, from its beginning."""
        return self._compile(rf"\A(?:{'|'.join(self.begins)}|(?:{'|'.join(self.whole)})\Z)")

    @cached_property
    def nothing(self) -> re.Pattern[str]:
        """A part that says nothing, from its beginning."""
        return self._compile(rf"\A(?:\Z|{'|'.join(self.idle)})")

    def _compile(self, pattern: str) -> re.Pattern[str]:
        return re.compile(pattern.replace("DOCS", self.docs))


ENGLISH = Tongue(
    docs=r"(?:(?:any|all|of|the|these|this|those|your|our|my|provided|given|available|supplied|retrieved|above|"
    r"search) )*"
    r"(?:documents?|sources?|contexts?|texts?|passages?|articles?|excerpts?|snippets?|information|materials?|data|"
    r"results|knowledge base)\b"
    r"(?: (?:(?:that )?(?:(?:you|i|we) (?:have )?|(?:have|has|were|was) (?:been )?))?"
    r"(?:provided|given|gave|available|above|supplied|retrieved|shared|to me)\b)*",
    but="but|however|although|though|instead|nevertheless",
    preface=(
        "sorry(?: that)?",
        "i (?:m|am) (?:very |so |really )?(?:sorry|afraid)(?: that)?",
        "i apologi[sz]e(?: for the confusion)?|apologies|again|unfortunately|regrettably|therefore|so|thus|answer|and",
        "(?:based (?:up)?on|according to|from|given|in) DOCS",
    ),
    begins=(
        r"i (?:really |just |honestly )?(?:do not|don t) (?:actually )?know\b",
        r"i (?:(?:do not|don t) (?:\w+ly )?|neither )have\b",
        r"i (?:cannot|can t|can not|could not|couldn t|did not|didn t|(?:m|am|was) (?:unable|not able) to)"
        r" (?:\w+ly )?(?:answer|find|determine|say|tell|locate|provide|identify|confirm|give|see|verify|help|assist|"
        r"advise|explain|do)\b",
        r"i (?:m|am) not (?:sure|certain)\b|i have no (?:idea|information|answer|data|knowledge)\b",
        r"(?:the|this|that|your) question (?:cannot|can t|can not|could not) be answered\b",
        r"(?:it|this|that) (?:cannot|can t|can not) be (?:determined|answered|established|inferred)\b",
        r"it (?:is|s) (?:not possible|impossible) to (?:answer|determine|say|tell|know)\b",
        r"it (?:is|s) (?:unclear|not (?:clear|stated|mentioned|specified|said)) (?:from|in|by) DOCS",
        r"there (?:is|s|are) (?:no|not any|not enough|insufficient) (?:\w+ )?"
        r"(?:information|mention|answer|data|details?|indication|references?)"
        r"(?:\Z| (?:about|on|regarding|concerning|of|to|in|available|provided|that|as|for|given|from)\b)",
        r"(?:no|not enough|insufficient) (?:\w+ )?(?:information|mention|answer|details?)(?: (?:is|was|are|were))?"
        r" (?:available|provided|given|found|about|regarding|concerning|in DOCS)\b",
        r"none of DOCS|nothing in DOCS",
        r"DOCS (?:(?:do|does|did|could|can) not|(?:don|doesn|didn|couldn|can) t|cannot)"
        r" (?:(?:explicitly|directly|clearly|specifically|actually|even|seem to|appear to|help|me) )*"
        r"(?:mention|say|state|specify|contain|provide|give|include|answer|tell|indicate|address|discuss|name|offer|"
        r"have|cover|reveal|disclose|explain|describe|identify|show|allow|list|hold)\b",
    ),
    whole=(
        r"(?:it is |it s |this is )?not (?:found|mentioned|stated|specified|given|provided|available|known|answerable|"
        r"in)(?: (?:(?:anywhere )?(?:in|by|from) )?DOCS)?",
        r"unknown|unanswerable|n a|no (?:answer|information|idea|clue)|not enough (?:information|context)",
        r"(?:(?!(?:said|says|say|told|claims?|claimed|reported|admitted|added|that)\b)\w+ ){1,12}"
        r"(?:(?:is|are|was|were) not|(?:isn|aren|wasn|weren) t) (?:\w+ly )?(?:mentioned|stated|specified|given|"
        r"provided|found|named|discussed|covered|included|disclosed|answered|available)"
        r"(?: anywhere)? (?:in|by|from) DOCS",
    ),
    idle=(
        r"(?:please|if you|let me know|you (?:may|might|can|could|should)|feel free|thanks?)\b",
        r"i (?:would |d )?(?:recommend|suggest|advise)\b|(?:could|can|would) you\b",
        r"i (?:d|would|will|ll|m|am) (?:be )?(?:happy|glad)\b",
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
    preface=(
        "mi (?:di)?spiace|spiacente|purtroppo|scusa|scusami|risposta|quindi|pertanto|e",
        "(?:(?:sulla base|in base|secondo|stando)(?: (?:ai|agli|alle|al|alla|dei|delle|del))?|in|nei) DOCS",
    ),
    begins=(
        r"(?:io )?non (?:lo )?(?:so|saprei|conosco)\b",
        r"non (?:posso|riesco a|sono in grado di|e possibile|si puo|mi e possibile)"
        r" (?:rispond|trov|determin|dir|stabilir|forni|saper|individuar)",
        r"(?:io )?non (?:ho|dispongo di|possiedo|trovo|ho trovato) (?:\w+ ){0,3}"
        r"(?:informazion|rispost|dati\b|riferiment|notizi|element|idea\b)",
        r"non (?:ci sono|c e|vi sono|vi e|esistono|sono presenti|e presente|risultano) (?:\w+ ){0,3}"
        r"(?:informazion|rispost|menzion|riferiment|dati\b|indicazion)",
        r"(?:nessun|nessuna)(?: delle| dei)? (?:document|font|test|pass|bran)\w* (?:dic|menzion|contien|parl|rispond)",
        r"DOCS non (?:lo |ne |mi |esplicitamente )?(?:dic|menzion|specific|indic|cont|fornisc|riport|rispond|parl|"
        r"precis|cit|dann|da\b|rivel|inclu|spieg|permett|consent|offr|chiari)",
        r"(?:a |la |questa |alla )+domanda non (?:si )?puo\b",
    ),
    whole=(
        r"(?:non|mai) (?:e )?(?:trovat|menzionat|specificat|indicat|disponibil|present|precisat|riportat|not)[oaie]"
        r"(?: DOCS)?",
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
    preface=(
        "leider|(?:es )?tut mir leid|entschuldigung|antwort|daher|und",
        "(?:laut|basierend auf|nach|auf (?:der )?grundlage) DOCS",
    ),
    begins=(
        r"(?:das )?weiss ich (?:leider )?nicht\b|ich weiss (?:es |das |leider )*nicht\b",
        r"(?:ich (?:kann|konnte)|(?:kann|konnte) ich) (?:\w+ ){0,6}(?:nicht (?:beantwort|find|sagen|bestimm)|"
        r"keine (?:informationen|antwort|angaben))",
        r"(?:ich (?:habe|finde)|habe ich|finde ich) (?:leider |dazu |hierzu )*keine (?:informationen|angaben|antwort)",
        r"DOCS (?:enthalt|geb|gib|lief|biet|erwahn|sag|beantwort|nenn|mach|steh|find)\w* (?:\w+ ){0,6}"
        r"(?:nicht|nichts|keine?[nr]?)\b",
        r"es gibt (?:\w+ ){0,3}keine (?:informationen|angaben|hinweise|antwort)",
        r"(?:diese|die) frage (?:kann|konnte|lasst sich) (?:\w+ ){0,7}nicht beantwort",
    ),
    whole=(
        r"(?:das|es|dies) (?:geht|wird|ist) (?:\w+ ){0,2}DOCS nicht \w+",
        r"nicht (?:gefunden|erwahnt|angegeben|bekannt|beantwortbar)(?: DOCS)?|unbekannt",
        r"keine (?:angaben?|informationen|antwort|ahnung)(?: (?:verfugbar|gefunden|vorhanden))?",
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
    preface=(
        "(?:je suis )?desolee?|malheureusement|helas|reponse|donc|et",
        r"(?:d apres|selon|sur la base|dans) DOCS",
    ),
    begins=(
        r"je (?:ne )?(?:le )?(?:sais|connais) pas\b|je l ignore\b|je n en sais rien\b",
        r"je (?:ne )?(?:peux|puis|suis|parviens) pas (?:en mesure de |capable de |a |vous )*"
        r"(?:repond|trouv|determin|dire|fourn)",
        r"je (?:n ai|ne trouve|ne dispose) (?:\w+ ){0,4}(?:information|reponse|element|mention|idee)",
        r"DOCS n(?:e)? (?:\w+ ){1,3}(?:pas|aucune?|rien)\b",
        r"il n (?:y a|existe) (?:pas|aucune?) (?:\w+ ){0,2}(?:information|mention|reponse|reference)",
        r"il (?:est impossible|n est pas possible) (?:de|d) (?:y )?(?:repond|determin|dire|savoir)",
    ),
    whole=(
        r"(?:non|pas) (?:mentionn|trouv|precis|indiqu|specifi)ee?s?(?: DOCS)?|inconnue?|pas de reponse",
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
    preface=(
        "lo siento|lamentablemente|desafortunadamente|por desgracia|disculpa|respuesta|y",
        "(?:segun|con base|en base a|de acuerdo con) DOCS",
    ),
    begins=(
        r"(?:yo )?no lo se\b|(?:yo )?no se (?:quien|cual|cuando|donde|como|cuant|la respuesta|si\b)",
        r"no (?:puedo|pude|soy capaz de|es posible|se puede|me es posible)"
        r" (?:respond|encontr|determin|decir|saber|contest|proporcion)",
        r"(?:en DOCS )?no (?:tengo|dispongo de|cuento con|encuentro|encontre|he encontrado|hay|existe|se encontro|"
        r"se encuentra) (?:\w+ ){0,2}(?:informacion|respuesta|datos|mencion|referencia)",
        r"DOCS no (?:lo )?(?:dice|mencion|especific|indic|contien|proporcion|respond|habla|cita|precis|ofrec|revel|"
        r"inclu|permit|aclar|explic|contest)",
        r"no se (?:menciona|especifica|indica|precisa|dice) (?:\w+ ){0,4}DOCS",
    ),
    whole=(
        r"no (?:lo )?se|no (?:mencionad|especificad|encontrad|indicad)[oa]s?(?: DOCS)?|no disponible|desconocid[oa]",
        r"(?:ninguna|sin) (?:informacion|respuesta)",
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
    preface=(r"desculpe|lamento|infelizmente|resposta|(?:com base|segundo|de acordo com) DOCS",),
    begins=(
        r"(?:eu )?nao (?:o )?(?:sei|conheco)\b|nao (?:posso|consigo|e possivel) (?:respond|encontr|determin|dizer)",
        r"nao (?:tenho|encontrei|ha|existe|existem) (?:\w+ ){0,2}(?:informac|resposta|menc)",
        r"DOCS nao (?:o )?(?:diz|mencion|especific|indic|cont|fornec|respond|fala|cita|revel|inclu)",
    ),
    whole=(r"nao (?:mencionad|especificad|encontrad|indicad)[oa](?: DOCS)?|desconhecid[oa]",),
    idle=(r"(?:por favor|se quiser|se voce|pode|obrigad[oa])\b",),
)
TONGUES = (ENGLISH, ITALIAN, GERMAN, FRENCH, SPANISH, PORTUGUESE)
