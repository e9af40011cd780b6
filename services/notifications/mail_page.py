"""A letter as text and as a small page: large letters, one button, readable without styles, dark, and on paper.

No picture, no font, no script: nothing is fetched from anywhere, so that reading a mail tells nobody that it was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from services.notifications import words
from services.notifications.channel import Letter


@dataclass(frozen=True, slots=True)
class Says:
    """A letter in one language: `lines` with what is to press between the first ones and the small ones."""

    language: str
    direction: str
    greeting: str
    news: str
    link: str | None
    button: str
    code: str | None
    small: tuple[str, ...]
    leave: str | None = None
    leave_link: str = ""


def languages_of(letter: Letter) -> tuple[str, ...]:
    """Returns the languages of a letter, the main one first."""
    return (letter.language,) if letter.language in words.LANGUAGES else words.LANGUAGES


def subject_of(letter: Letter) -> str:
    """Returns the subject, in each language."""
    if letter.code is not None:
        return " / ".join(words.confirming(one, letter.code).subject for one in languages_of(letter))
    return " / ".join(words.outside(one, letter.number, more=letter.more).subject for one in languages_of(letter))


def _says(letter: Letter, language: str, link: str) -> Says:
    if letter.code is not None:
        asks = words.confirming(language, letter.code)
        small = (asks.not_yours, asks.no_reply)
        return Says(language, asks.direction, asks.greeting, asks.code, letter.link, asks.button, letter.code, small)
    tells = words.outside(
        language,
        letter.number,
        urgent=letter.urgent,
        reminder=letter.reminder,
        more=letter.more,
        fixed=letter.fixed,
    )
    return Says(
        language,
        tells.direction,
        tells.greeting,
        tells.news,
        link,
        tells.button,
        None,
        (tells.no_reply,),
        tells.leave if letter.leave else None,
        tells.leave_link,
    )


def as_text(letter: Letter, link: str) -> str:
    """Returns the letter as plain text."""
    parts = []
    for language in languages_of(letter):
        says = _says(letter, language, link)
        lines = [says.greeting, "\n".join(filter(None, (says.news, says.link))), *says.small]
        if says.leave:
            lines.append(f"{says.leave}\n{says.leave_link}: {letter.leave}")
        parts.append("\n\n".join(lines) + "\n")
    return "\n---\n\n".join(parts)


# Styles stand in the elements: many mail programs drop a sheet.
PAGE = """\
<!DOCTYPE html>
<html lang="{language}" dir="{direction}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body style="margin:0;padding:16px;font-family:Arial,Helvetica,sans-serif;font-size:17px;line-height:1.5">
<div style="max-width:520px;margin:0 auto">
{parts}
</div>
</body></html>
"""
PART = """\
<div lang="{language}" dir="{direction}">
<p style="margin:0 0 12px">{greeting}</p>
<p style="margin:0 0 20px">{news}</p>
{button}<p style="margin:0 0 4px;font-size:15px">{small}</p>
</div>"""
BUTTON = """\
<p style="margin:0 0 20px"><a href="{link}" style="display:inline-block;padding:12px 24px;background:#1d4e6f;\
color:#ffffff;text-decoration:none;font-weight:bold;border:2px solid #1d4e6f;border-radius:4px">{text}</a></p>
"""
CODE = '<b style="font-size:22px;letter-spacing:2px;white-space:nowrap">{code}</b>'
WRITTEN = '<p style="margin:-8px 0 16px;font-size:15px;word-break:break-all">{link}</p>\n'
"""On paper nobody can press; and whoever doubts a mail wants to see where it leads."""
RULE = '\n<hr style="border:0;border-top:1px solid #767676;margin:24px 0">\n'


def as_html(letter: Letter, link: str) -> str:
    """Returns the letter as a page."""
    says = [_says(letter, language, link) for language in languages_of(letter)]
    return PAGE.format(
        language=says[0].language,
        direction=says[0].direction,
        title=escape(subject_of(letter)),
        parts=RULE.join(_part(one, letter.leave) for one in says),
    )


def _part(says: Says, leave: str | None) -> str:
    news = escape(says.news)
    if says.code is not None:
        news = news.replace(escape(says.code), CODE.format(code=escape(says.code)))
    small = [escape(line) for line in says.small]
    if says.leave and leave:
        small.append(
            f'{escape(says.leave)} <a\nhref="{escape(leave)}"\nstyle="color:inherit">{escape(says.leave_link)}</a>'
        )
    return PART.format(
        language=says.language,
        direction=says.direction,
        greeting=escape(says.greeting),
        news=news,
        button=_button(says),
        small="<br>".join(small),
    )


def _button(says: Says) -> str:
    if says.link is None:
        return ""
    button = BUTTON.format(link=escape(says.link), text=escape(says.button))
    return button if says.code is not None else button + WRITTEN.format(link=escape(says.link))


def short(letter: Letter, link: str) -> str:
    """Returns the letter as a few words, where there is room for no more."""
    first = _says(letter, languages_of(letter)[0], link)
    return f"Samenkracht: {first.news} {first.link}" if letter.code is None else f"Samenkracht: {first.news}"
