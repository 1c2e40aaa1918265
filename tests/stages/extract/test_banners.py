from __future__ import annotations

import json
from pathlib import Path

import pytest

from lauter.stages.extract import banners
from lauter.stages.extract.backends import load_resiliparse, load_trafilatura
from lauter.stages.extract.banners import has_notice, is_notice, without_elements, without_lines
from lauter.stages.extract.marks import hide_block
from tests.stages.extract.pages import truths

EXTRACT = {"trafilatura": load_trafilatura(), "resiliparse": load_resiliparse()}
NOTICES = {
    "en": "This website uses cookies to improve your experience. We'll assume you're ok with this.",
    "de": "Wir verwenden Cookies, um Inhalte zu personalisieren. Mit der Nutzung stimmen Sie dem zu.",
    "fr": "Nous utilisons des cookies pour améliorer votre expérience.",
    "es": "Utilizamos cookies propias y de terceros. Si continúa navegando, consideramos que acepta su uso.",
    "it": "Questo sito utilizza i cookie. Proseguendo nella navigazione accetti il loro uso.",
    "pl": "Ta strona używa plików cookie. Kontynuując, wyrażasz zgodę na ich użycie.",
    "nl": "Wij gebruiken cookies om uw ervaring te verbeteren.",
    "sv": "Vi använder kakor för att förbättra din upplevelse.",
    "fi": "Käytämme evästeitä, jotta voimme parantaa käyttökokemusta.",
    "cs": "Tento web používá soubory cookie. Používáním webu s tím souhlasíte.",
    "hu": "Az oldalunk sütiket használ. A böngészés folytatásával ezt elfogadja.",
    "el": "Χρησιμοποιούμε cookies για να βελτιώσουμε την εμπειρία σας.",
    "ru": "Мы используем файлы cookie. Продолжая работу с сайтом, вы соглашаетесь с этим.",
    "tr": "Bu site çerez kullanır. Devam ederek kabul etmiş olursunuz.",
    "ja": "当サイトではクッキーを使用しています。続行すると同意したことになります。",
    "ko": "이 웹사이트는 쿠키를 사용합니다. 계속하면 동의하는 것입니다.",
    "zh": "本网站使用Cookie。继续浏览即表示您同意。",
    "ar": "نستخدم ملفات تعريف الارتباط لتحسين تجربة المستخدم.",
    "lt": "Šioje svetainėje naudojami slapukai. Tęsdami naršymą sutinkate.",
}
PROSE = "<p>The council met on Tuesday and decided, after a long debate, to build the bridge across the river.</p>"


@pytest.mark.parametrize("language", NOTICES)
def test_notices(language: str) -> None:
    assert is_notice(NOTICES[language])
    assert has_notice(f"Title\n{NOTICES[language]}\nText")


@pytest.mark.parametrize(
    "line",
    [
        "The regulator says that publishers use cookies without the consent of their readers.",
        "Die Behörde verlangt, dass Verlage vor dem Setzen von Cookies um Einwilligung bitten.",
        "We use flour, butter and sugar for our cookies.",
        "Accept",
        "",
        "The court heard evidence for three days. " * 8 + "We use cookies, said the firm, and readers accept that.",
        "We use cookies and you accept. " * 60,
        hide_block("banner.text('We use cookies to improve your experience')"),
    ],
)
def test_running_text_is_no_notice(line: str) -> None:
    assert not is_notice(line)


def test_buttons_go_with_their_notice_and_only_with_it() -> None:
    body = "Long text of the page. " * 30
    text = f"Title\n{body}\nRead more\n{NOTICES['en']}\n\nAccept All\nCookie Settings\nLast words"
    assert without_lines(text).split("\n") == ["Title", body, "Read more", "", "Last words"]


def test_a_page_about_cookies_stays() -> None:
    text = "\n".join([NOTICES["en"], NOTICES["de"], "Our policy."])
    assert without_lines(text) == text


@pytest.mark.parametrize("backend", EXTRACT)
def test_a_page_loses_its_notice_and_nothing_else(backend: str) -> None:
    article = PROSE + "".join(PROSE.replace("Tuesday", f"day {number}") for number in range(8))
    tool = f"<div><p>{NOTICES['en']}</p><p>Accept All</p></div>"
    bare, noticed = (f"<html><body><article>{article}{body}</article></body></html>" for body in ("", tool))
    assert EXTRACT[backend](noticed).strip() == EXTRACT[backend](bare).strip()


@pytest.mark.parametrize(
    "attributes",
    [
        "id='onetrust-consent-sdk'",
        'class="a cookie-banner b"',
        'id="CybotCookiebotDialog"',
        "role='dialog' aria-label='Cookies'",
    ],
)
def test_elements_of_consent_tools(attributes: str) -> None:
    assert (
        without_elements(f"<p>a</p><div {attributes}><div>We use<div>it</div></div></div><p>b</p>")
        == "<p>a</p><p>b</p>"
    )


@pytest.mark.parametrize(
    "page",
    [
        "<div class='page cookie-notice-open'><main>text</main></div>",
        f"<div class='cookie-notice'>{'word ' * 4000}</div>",
        "<div class='cookies-recipe'>flour</div>",
        "<div class='cookie-notice'>never closed",
    ],
)
def test_other_elements_stay(page: str) -> None:
    assert without_elements(page) == page


def test_the_table_of_words() -> None:
    table = json.loads(Path(banners.__file__).with_name("banners.json").read_text(encoding="utf-8"))["languages"]
    for entry in table.values():
        assert set(entry) == {"cookie", "site", "ask", "labels"}
        for words in entry.values():
            assert words == [word.lower() for word in words]
            assert len(set(words)) == len(words) > 0


def test_no_truth_loses_a_word() -> None:
    changed = [text for text in truths().values() if without_lines(text) != text]
    assert not changed
