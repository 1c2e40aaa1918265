"""The words that `instructions.py` asks about, in English, German and French."""

from __future__ import annotations

NOUNS: dict[str, tuple[str, ...]] = {
    "en": ("house", "tree", "river", "bridge", "window", "garden", "bread", "water", "horse", "moon"),
    "de": ("Haus", "Baum", "Fluss", "Brücke", "Fenster", "Garten", "Brot", "Wasser", "Pferd", "Mond"),
    "fr": ("maison", "arbre", "fleuve", "pont", "fenêtre", "jardin", "pain", "eau", "cheval", "lune"),
}
"""The n-th of each language means the same."""

OPPOSITES: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        *(("hot", "cold"), ("big", "small"), ("old", "young"), ("long", "short"), ("light", "dark"), ("fast", "slow")),
        *(("high", "low"), ("full", "empty"), ("dry", "wet"), ("hard", "soft"), ("near", "far"), ("rich", "poor")),
    ),
    "de": (
        *(("heiß", "kalt"), ("groß", "klein"), ("alt", "jung"), ("lang", "kurz"), ("hell", "dunkel")),
        *(("schnell", "langsam"), ("hoch", "tief"), ("voll", "leer"), ("trocken", "nass"), ("hart", "weich")),
        *(("nah", "fern"), ("reich", "arm")),
    ),
    "fr": (
        *(("chaud", "froid"), ("grand", "petit"), ("vieux", "jeune"), ("long", "court"), ("clair", "sombre")),
        *(("rapide", "lent"), ("haut", "bas"), ("plein", "vide"), ("sec", "mouillé"), ("dur", "mou")),
        *(("proche", "lointain"), ("riche", "pauvre")),
    ),
}

OPENERS: dict[str, tuple[str, ...]] = {
    "en": ("", "Please: ", "Hello! ", "Tell me: "),
    "de": ("", "Bitte: ", "Hallo! ", "Sag mir: "),
    "fr": ("", "Bonjour ! ", "Dis-moi : ", "Allez : "),
}
"""What may come before a question. It changes no answer, and makes many prompts of few facts."""

NUMBERS: dict[str, tuple[str, ...]] = {
    "en": ("two", "three", "four"),
    "de": ("zwei", "drei", "vier"),
    "fr": ("deux", "trois", "quatre"),
}
"""2, 3 and 4."""

NAMES: dict[str, dict[str, str]] = {
    "en": {"de": "German", "fr": "French"},
    "de": {"en": "Englisch", "fr": "Französisch"},
    "fr": {"en": "anglais", "de": "allemand"},
}
"""Of the other languages, in each."""

WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "say": {
        "en": ("Say: {0}", "Repeat after me: {0}", "Write these words: {0}"),
        "de": ("Sage: {0}", "Sprich mir nach: {0}", "Schreibe diese Wörter: {0}"),
        "fr": ("Dis : {0}", "Répète après moi : {0}", "Écris ces mots : {0}"),
    },
    "times": {
        "en": ("Say {1} times: {0}", "Write {1} times: {0}"),
        "de": ("Sage {1} Mal: {0}", "Schreibe {1} Mal: {0}"),
        "fr": ("Dis {1} fois : {0}", "Écris {1} fois : {0}"),
    },
    "first": {
        "en": ("What is the first word? {0}", "Which word comes first? {0}"),
        "de": ("Was ist das erste Wort? {0}", "Welches Wort kommt zuerst? {0}"),
        "fr": ("Quel est le premier mot ? {0}", "Quel mot vient en premier ? {0}"),
    },
    "last": {
        "en": ("What is the last word? {0}", "Which word comes last? {0}"),
        "de": ("Was ist das letzte Wort? {0}", "Welches Wort kommt zuletzt? {0}"),
        "fr": ("Quel est le dernier mot ? {0}", "Quel mot vient en dernier ? {0}"),
    },
    "count": {
        "en": ("How many words are these? {0}", "Count the words: {0}"),
        "de": ("Wie viele Wörter sind das? {0}", "Zähle die Wörter: {0}"),
        "fr": ("Combien de mots y a-t-il ? {0}", "Compte les mots : {0}"),
    },
    "opposite": {
        "en": ("What is the opposite of {0}?", "Opposite of {0}?", "Say the opposite: {0}", "The contrary of {0}?"),
        "de": (
            "Was ist das Gegenteil von {0}?",
            "Gegenteil von {0}?",
            "Sage das Gegenteil: {0}",
            "Das Gegenteil zu {0}?",
        ),
        "fr": ("Quel est le contraire de {0} ?", "Contraire de {0} ?", "Dis le contraire : {0}", "L'opposé de {0} ?"),
    },
    "translate": {
        "en": ("What is {0} in {1}?", "{0} in {1}?", "Translate into {1}: {0}", "Say {0} in {1}."),
        "de": ("Was heißt {0} auf {1}?", "{0} auf {1}?", "Übersetze in {1}: {0}", "Sage {0} auf {1}."),
        "fr": ("Que veut dire {0} en {1} ?", "{0} en {1} ?", "Traduis en {1} : {0}", "Dis {0} en {1}."),
    },
    "sum": {
        "en": ("What is {0} + {1}?", "{0} + {1} =", "Add {0} and {1}.", "How much is {0} + {1}?"),
        "de": ("Was ist {0} + {1}?", "{0} + {1} =", "Addiere {0} und {1}.", "Wie viel ist {0} + {1}?"),
        "fr": ("Combien font {0} + {1} ?", "{0} + {1} =", "Additionne {0} et {1}.", "Que font {0} + {1} ?"),
    },
}
"""Kind of task -> language -> ways to ask."""
