"""The words: there in both languages, used, plain, and outside the login without a word of anybody."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from services.notifications import words
from services.notifications.rules import BY_KIND

SOURCE = Path(words.__file__).parent

HARD = {
    "nl": (
        "middels", "teneinde", "indien", "betreffende", "conform", "alsmede", "dientengevolge", "desgewenst", "omtrent",
        "inzake", "ingevolge", "derhalve", "hetgeen", "tevens", "dient te", "verstrekken", "geschieden", "aangaande",
    ),
    "en": (
        "herewith", "pursuant", "aforementioned", "regarding", "notwithstanding", "commence", "prior to", "in order to",
        "utilise", "utilize", "facilitate", "hereby", "therein",
    ),
}  # fmt: skip
LONG_WORDS = {"verschillend", "noodtoegang", "uitgenodigd"}
LONGEST_WORD, LONGEST_SENTENCE = 14, 18
CODES = re.compile(r'"((?:inbox|outside)\.[a-z_]+)"')


def read(language: str) -> Catalog:
    with (words.LOCALE / language / "LC_MESSAGES" / "notices.po").open("rb") as file:
        return read_po(file, locale=language)


def texts(language: str) -> list[tuple[str, str]]:
    """Returns (key, text) of each message, plural forms apart."""
    found = []
    for message in read(language):
        if message.id:
            key = message.id[0] if isinstance(message.id, tuple) else message.id
            said = message.string if isinstance(message.string, tuple) else (message.string,)
            found += [(str(key), str(text)) for text in said]
    return found


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_word_that_is_asked_for_is_there_and_every_one_that_is_there_is_asked_for(language: str) -> None:
    there = {key for key, _ in texts(language)}
    source = "".join(path.read_text() for path in SOURCE.glob("*.py"))
    used = {f"inbox.{kind}" for kind in BY_KIND} | set(CODES.findall(source))
    pages = {key for key in there if key.startswith("door.")}  # whose names are put together
    used |= {key for key in pages if f'"{key.removeprefix("door.").removesuffix("_button")}"' in source}
    assert there == used
    assert [key for key, text in texts(language) if not text.strip()] == []


def test_both_languages_count_alike() -> None:
    plurals = [
        {message.id[0] for message in read(language) if isinstance(message.id, tuple)} for language in words.LANGUAGES
    ]
    assert plurals[0] == plurals[1]
    for language in words.LANGUAGES:
        assert words.more(language, 1) != words.more(language, 2)
        assert "2" in words.outside(language, 2).subject
        assert "%" not in "".join(text for n in (1, 2, 5) for text in vars_of(language, n))


def vars_of(language: str, number: int) -> list[str]:
    said = words.outside(language, number)
    return [said.subject, said.greeting, said.news, said.no_reply, words.more(language, number)]


@pytest.mark.parametrize(("language", "key", "text"), [(one, *two) for one in words.LANGUAGES for two in texts(one)])
def test_words_are_plain(language: str, key: str, text: str) -> None:
    """B1 by a small list of rules: short sentences, short words, none of an office, and one thing at a time."""
    for sentence in re.split(r"[.:?!]\s*", text):
        said = re.findall(r"[\w'-]+", sentence)
        assert len(said) <= LONGEST_SENTENCE, f"{key}: a long sentence: {sentence}"
        long = [word for word in said if len(word) > LONGEST_WORD and word.lower() not in LONG_WORDS]
        assert not long, f"{key}: long words: {long}"
        assert sentence.count(",") <= 2, f"{key}: too much in one sentence: {sentence}"
    hard = [word for word in HARD[language] if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    assert not hard, f"{key}: words of an office: {hard}"


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_the_inbox_says_what_happened_and_then_what_to_do(language: str, kind: str) -> None:
    said = words.inbox(language, kind)
    assert said.endswith(".")
    assert ". " in said or ": " in said


def test_what_leaves_the_platform_is_the_same_for_every_kind() -> None:
    """No name, no subject, no diagnosis, no text can be in what depends on nothing but a number and a language."""
    urgent = {kind: words.outside("nl", 1, urgent=rule.urgent) for kind, rule in BY_KIND.items()}
    assert len(set(urgent.values())) == 2
    revealing = re.compile(
        r"\b(doel|plan|kind|gesprek|toestemming|noodtoegang|dossier|zorg|afspraak|goal|child|care)\b", re.IGNORECASE
    )
    for language in words.LANGUAGES:
        for text in vars_of(language, 3)[:4]:
            assert not revealing.search(text)


def test_a_kind_that_is_no_more_has_no_words_and_breaks_nothing() -> None:
    assert words.inbox("nl", "of_old") == ""


def test_a_language_from_right_to_left_says_so_and_keeps_numbers_apart(tmp_path: Path) -> None:
    folder = tmp_path / "ar" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    text = (words.LOCALE / "nl" / "LC_MESSAGES" / "notices.po").read_text().replace("Language: nl", "Language: ar")
    (folder / "notices.po").write_text(text)
    said = words.outside("ar", 3, folder=tmp_path)
    assert said.direction == "rtl"
    assert f"{words.ISOLATE}3{words.POP}" in said.subject
    assert words.ISOLATE not in words.outside("nl", 3).subject
    assert words.isolated("http://x", "ar") == f"{words.ISOLATE}http://x{words.POP}"
    assert [words.direction(one) for one in ("nl", "en", "fa", "he")] == ["ltr", "ltr", "rtl", "rtl"]


def test_words_can_be_previewed_without_a_running_platform() -> None:
    command = [sys.executable, "-m", "services.notifications.previewing"]
    shown = subprocess.run([*command, "consent_asked", "en", "2"], capture_output=True, text=True, check=True)
    assert "consent" in shown.stdout
    assert subprocess.run([*command, "no", "en", "1"], capture_output=True, check=False).returncode == 1
