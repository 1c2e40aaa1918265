from __future__ import annotations

import numpy as np

from lauter.stages.toxicity.training.folds import folds_of
from lauter.stages.toxicity.training.sets import Post

PEOPLE = {
    "en": ["women", "trans people", "gay people", "black people", "disabled people", "Muslims", "immigrants"],
    "de": ["Frauen", "Transmenschen", "Schwule", "Schwarze", "Behinderte", "Juden", "Flüchtlinge"],
}
TEMPLATES = {
    "en": ["I really cannot stand {} at all", "All of the {} around here disgust me", "We will get rid of {} very soon",
           "You should be ashamed to be with {}", "Nothing in this world is worse than {}"],
    "de": ["Ich kann {} wirklich nicht ausstehen", "All die {} hier widern mich so an", "Wir werden {} bald los sein",
           "Schäm dich, dass du mit {} verkehrst", "Auf der Welt gibt es nichts Schlimmeres als {}"],
}  # fmt: skip


def family(language: str, name: str, start: int, *, misspelt: bool = False) -> list[Post]:
    texts = [template.format(people) for template in TEMPLATES[language] for people in PEOPLE[language]]
    if misspelt:
        texts = [text.replace("e", "3", 1) for text in texts]
    return [Post("check", language, text, toxic=True, family=name, place=start + at) for at, text in enumerate(texts)]


def test_a_template_is_in_one_fold_in_all_languages_and_however_it_is_spelt() -> None:
    posts = [
        *family("en", "derog_h", 0), *family("en", "spell_leet_h", 35, misspelt=True),
        *family("de", "derog_h", 70), *family("de", "spell_leet_h", 105, misspelt=True),
    ]  # fmt: skip
    fold = folds_of(posts, 5).reshape(4, 5, 7)
    assert (fold == fold[:, :, :1]).all()
    assert (fold == fold[:1]).all()
    assert len(set(fold[0, :, 0].tolist())) == 5


def test_sentences_that_are_missing_do_not_part_a_template() -> None:
    posts = family("en", "derog_h", 0)
    left = [post for place, post in enumerate(posts) if place % 3]
    fold = folds_of(left, 5)
    for template in range(5):
        own = [row for row, post in enumerate(left) if post.place // 7 == template]
        assert len(set(fold[own].tolist())) == 1


def test_equal_posts_are_in_one_fold_and_posts_are_spread() -> None:
    posts = [Post("posts", "en", f"post number {at % 200}", toxic=False, family="", place=-1) for at in range(400)]
    fold = folds_of(posts, 4)
    assert np.array_equal(fold[:200], fold[200:])
    assert np.bincount(fold, minlength=4).min() > 60
