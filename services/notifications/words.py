"""The words of notices, in Dutch and English: gettext catalogues in locale/, read as they stand.

Two kinds, and no third: what the inbox says (behind the login), and what leaves the platform. The latter knows no name,
no school subject, no diagnosis and no text of anybody: only that there is something, how much, and where.
"""

from __future__ import annotations

import gettext
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("nl", "en")
"""The first is for whom nothing is known of."""
ISOLATE, POP = "\u2068", "\u2069"
"""First strong isolate and its end (UAX 9): what is put between them can't turn the text round it."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What may leave the platform: `news` is followed by a link. `direction` is HTML's `dir`."""

    language: str
    direction: str
    subject: str
    greeting: str
    news: str
    no_reply: str
    button: str
    leave: str
    leave_link: str


@dataclass(frozen=True, slots=True)
class Confirming:
    """What goes to an address that is not confirmed yet. `code` holds the code."""

    language: str
    direction: str
    subject: str
    greeting: str
    code: str
    button: str
    not_yours: str
    no_reply: str


@cache
def catalogue(language: str, folder: Path = LOCALE) -> gettext.NullTranslations:
    """Returns a language's catalogue; raises FileNotFoundError when there is none."""
    with (folder / language / "LC_MESSAGES" / "notices.po").open("rb") as file:
        read = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def direction(language: str) -> str:
    """Returns in which direction the language is written, as HTML's `dir` says it."""
    return "rtl" if Locale.parse(language, sep="-").character_order == "right-to-left" else "ltr"


@cache
def inbox(language: str, kind: str) -> str:
    """Returns what the inbox says of this kind of notice; nothing for a kind that is no more."""
    key = f"inbox.{kind}"
    found = catalogue(language).gettext(key)
    return "" if found == key else found


def more(language: str, number: int) -> str:
    """Returns what the inbox says of `number` earlier notices about the same thing."""
    return _counted(language, "inbox.more", number)


@cache
def outside(
    language: str,
    number: int = 1,
    *,
    urgent: bool = False,
    reminder: bool = False,
    more: bool = False,
    fixed: bool = False,
    folder: Path = LOCALE,
) -> Outside:
    """Returns what a message says that brings `number` notices; `more`: and says that there are others."""
    found = catalogue(language, folder)
    shown = {"number": isolated(str(number), language)}
    if more and not urgent:
        news = found.gettext("outside.news_more") % shown
    elif urgent:
        news = found.gettext("outside.urgent")
    elif reminder:
        news = found.gettext("outside.reminder")
    else:
        news = _counted(language, "outside.news", number, folder)
    return Outside(
        language,
        direction(language),
        found.gettext("outside.subject_more") % shown
        if more
        else _counted(language, "outside.subject", number, folder),
        found.gettext("outside.greeting"),
        news,
        found.gettext("outside.no_reply"),
        found.gettext("outside.button"),
        found.gettext("outside.always" if fixed else "outside.leave"),
        found.gettext("outside.always_link" if fixed else "outside.leave_link"),
    )


def confirming(language: str, code: str) -> Confirming:
    """Returns what a message says that asks whoever reads it to confirm the address."""
    found = catalogue(language)
    return Confirming(
        language,
        direction(language),
        found.gettext("outside.confirm_subject"),
        found.gettext("outside.greeting"),
        found.gettext("outside.confirm_code") % {"code": isolated(code, language)},
        found.gettext("outside.confirm_button"),
        found.gettext("outside.not_yours"),
        found.gettext("outside.no_reply"),
    )


@cache
def door(language: str, key: str) -> str:
    """Returns what a page of the door for links says."""
    return catalogue(language).gettext(f"door.{key}")


def isolated(text: str, language: str) -> str:
    """Returns `text` (a link, a number) as it may stand in running text of the language."""
    return f"{ISOLATE}{text}{POP}" if direction(language) == "rtl" else text


def _counted(language: str, key: str, number: int, folder: Path = LOCALE) -> str:
    words = catalogue(language, folder).ngettext(key, key, number)
    return words % {"number": isolated(str(number), language)}
