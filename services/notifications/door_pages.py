"""The pages of the door: a sentence in each language, and a button where there is something to press."""

from __future__ import annotations

from html import escape

from services.notifications import words

TITLE = "Samenkracht"
PAGE = """\
<!DOCTYPE html>
<html lang="nl"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body style="margin:0;padding:24px 16px;font-family:Arial,Helvetica,sans-serif;font-size:18px;line-height:1.5">
<main style="max-width:520px;margin:0 auto"><h1 style="font-size:22px">{title}</h1>
{body}</main></body></html>
"""
BUTTON = (
    '<button type="submit" style="font:inherit;font-weight:bold;padding:12px 24px;min-height:48px;background:#1d4e6f;'
    'color:#ffffff;border:2px solid #1d4e6f;border-radius:4px">{text}</button>'
)


ALL = "alles"
"""The field by which the second button of the page for leaving is known."""
BUTTONS = {"leave": ("leave", "leave_all"), "left": ("leave_all",), "verify": ("verify",)}
"""What may be pressed on a page."""


def page(key: str, action: str | None = None) -> str:
    """Returns a page that says what `door.<key>` says; with `action` (a path) its buttons post to it."""
    body = _said(key)
    for button in BUTTONS[key] if action is not None else ():
        text = " / ".join(
            f'<span lang="{one}">{escape(words.door(one, f"{button}_button"))}</span>' for one in words.LANGUAGES
        )
        more = "" if button != "leave_all" else f'<input type="hidden" name="{ALL}" value="1">'
        body += "" if button == key else f'<hr style="margin:24px 0">\n{_said(button)}'
        body += f'<form method="post" action="{escape(action or "")}">{more}{BUTTON.format(text=text)}</form>\n'
    return PAGE.format(title=TITLE, body=body)


def _said(key: str) -> str:
    return "".join(f'<p lang="{one}">{escape(words.door(one, key))}</p>\n' for one in words.LANGUAGES)
