"""The words that `instructions.py` asks about, in English, German and French."""

from __future__ import annotations

NOUNS: dict[str, tuple[str, ...]] = {
    "en": (
        *("house", "tree", "river", "bridge", "boat", "window", "door", "table", "chair", "book", "letter", "road"),
        *("garden", "flower", "bread", "cheese", "milk", "water", "fire", "stone", "mountain", "lake", "forest"),
        *("horse", "dog", "cat", "bird", "fish", "sun", "moon", "star", "rain", "snow", "wind", "school", "church"),
        *("market", "city", "village", "train"),
    ),
    "de": (
        *("Haus", "Baum", "Fluss", "Brücke", "Boot", "Fenster", "Tür", "Tisch", "Stuhl", "Buch", "Brief", "Straße"),
        *("Garten", "Blume", "Brot", "Käse", "Milch", "Wasser", "Feuer", "Stein", "Berg", "See", "Wald"),
        *("Pferd", "Hund", "Katze", "Vogel", "Fisch", "Sonne", "Mond", "Stern", "Regen", "Schnee", "Wind", "Schule"),
        *("Kirche", "Markt", "Stadt", "Dorf", "Zug"),
    ),
    "fr": (
        *("maison", "arbre", "fleuve", "pont", "bateau", "fenêtre", "porte", "table", "chaise", "livre", "lettre"),
        *("route", "jardin", "fleur", "pain", "fromage", "lait", "eau", "feu", "pierre", "montagne", "lac", "forêt"),
        *("cheval", "chien", "chat", "oiseau", "poisson", "soleil", "lune", "étoile", "pluie", "neige", "vent"),
        *("école", "église", "marché", "ville", "village", "train"),
    ),
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
