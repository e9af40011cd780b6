"""The report of a pack as one HTML page: no scripts, nothing from elsewhere, every value escaped. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from html import escape
from typing import Any

from deploy.pack.layout import Json, Manifest
from deploy.pack.tally import Tally
from deploy.pack.words import finding, label, text

COLOURS = ("#1d4e89", "#d97706", "#2f855a", "#8b5cf6", "#c2410c", "#0891b2", "#6b7280")
"""Told apart also without colour by the table below each picture."""
MOST_FINDINGS = 50
LONG = re.compile(r"(\S{30,})")
"""No word of what people read: the longest of `deploy.pack.words` and `deploy.childfile.words` have fewer letters."""
WIDTH, HEIGHT, LEFT, BOTTOM = 760, 240, 44, 34
DAY = 72
"""How wide a date is below a chart."""

STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;color:#1a202c;background:#fff;
max-width:52rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .5rem}h2{font-size:1.2rem;margin:2.5rem 0 .75rem}
.lead{color:#4a5568;margin:0 0 1.5rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.75rem}
.card{border:1px solid #e2e8f0;border-radius:.5rem;padding:.75rem 1rem}
.card b{display:block;font-size:1.6rem;line-height:1.2}
.card span{color:#4a5568;font-size:.9rem}.alert{border-color:#c53030;background:#fff5f5}
svg{width:100%;height:auto;display:block}svg text{font-size:11px;fill:#4a5568}
.key{display:flex;flex-wrap:wrap;gap:.35rem 1.1rem;margin:.5rem 0 0;padding:0;list-style:none;font-size:.9rem}
.key i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.4rem}
table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid #e2e8f0;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap}
.long{overflow-wrap:anywhere}main{overflow-x:auto}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:0 2rem}
details{margin-top:.5rem}summary{cursor:pointer;color:#1d4e89}
code{background:#f1f5f9;padding:.1rem .3rem;overflow-wrap:anywhere}
@media print{body{max-width:none;padding:0}h2{break-after:avoid}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(made: Manifest, tally: Tally, findings: Collection[Json], language: str) -> str:
    """Returns the page. The same lines and findings give the same bytes."""
    say = _sayer(language)
    title = f"{say('title')} {escape(made.school)}"
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="lead">{say("lead")} {_period(tally, say)}</p>',
        _cards(made, tally, say),
        *_pictures(tally, language, say),
        '<div class="two">',
        *(
            f"<section>{_counts(say(name), counter, language, say)}</section>"
            for name, counter in (
                ("kinds", tally.by("category")),
                ("purposes", tally.by("purpose")),
                ("grounds", tally.by("basis")),
                ("why", tally.why_refused),
            )
        ),
        "</div>",
        *_wrong(tally, findings, language, say),
        *_check(made, say),
    ]
    head = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>\n"
    )
    return head + "\n".join(parts) + "\n</main></body></html>\n"


def _sayer(language: str) -> Callable[[str], str]:
    return lambda name: escape(text(name, language))


def breakable(text: str) -> str:
    """Returns a text escaped, in which only what no column can hold (ids, hashes, addresses) breaks inside a word."""
    parts = (escape(part) for part in LONG.split(text))
    return "".join(f'<span class="long">{part}</span>' if n % 2 else part for n, part in enumerate(parts))


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _period(tally: Tally, say: Callable[[str], str]) -> str:
    if not tally.lines:
        return say("empty")
    return say("period").format(first=escape(tally.first_at[:10]), last=escape(tally.last_at[:10]))


def _cards(made: Manifest, tally: Tally, say: Callable[[str], str]) -> str:
    lines = f"{say('lines')}, {say('of')} {_number(made.size)}"
    told = [(tally.lines, lines, "")]
    told += [
        (count, say(name), "")
        for count, name in (
            (tally.looks.total(), "looks"),
            (len(tally.people), "people"),
            (len(tally.children), "children"),
            (tally.refused.total(), "refused"),
            (tally.emergencies, "emergencies"),
            (tally.exports, "exports"),
        )
    ]
    wrong = tally.findings.total()
    told.append((wrong, say("findings"), " alert" if wrong else ""))
    cards = (f'<div class="card{more}"><b>{_number(count)}</b><span>{name}</span></div>' for count, name, more in told)
    return f'<div class="cards">{"".join(cards)}</div>'


def _pictures(tally: Tally, language: str, say: Callable[[str], str]) -> list[str]:
    weeks = tally.weeks()
    if not weeks:
        return []
    looks, refusals = tally.looks, tally.refused
    by_role: Counter[str] = Counter()
    for (_, role), count in looks.items():
        by_role[role] += count
    order = sorted(by_role, key=lambda role: (-by_role[role], role))
    shown, rest = order[: len(COLOURS) - 1], order[len(COLOURS) - 1 :]
    series = [(escape(label(role, language)), {w: looks[w, role] for w in weeks}) for role in shown]
    if rest:
        series.append((say("others"), {w: sum(looks[w, role] for role in rest) for w in weeks}))
    refused = [(say("refused"), {w: refusals[w] for w in weeks})]
    return [
        f"<h2>{say('by_week')}</h2>",
        _chart(say("by_week"), weeks, series, say),
        f"<h2>{say('refused_by_week')}</h2>",
        _chart(say("refused_by_week"), weeks, refused, say, COLOURS[4:]),
    ]


Series = Sequence[tuple[str, Mapping[str, int]]]


def _chart(
    title: str, weeks: Sequence[str], series: Series, say: Callable[[str], str], colours: Sequence[str] = COLOURS
) -> str:
    """Returns bars, stacked; names are escaped already. Below it the same as a table, for who can't see it."""
    most = max(1, *(sum(counts[week] for _, counts in series) for week in weeks))
    step, room = (WIDTH - LEFT) / len(weeks), HEIGHT - BOTTOM - 10
    bars = []
    for n, week in enumerate(weeks):
        top = float(HEIGHT - BOTTOM)
        for colour, (name, counts) in zip(colours, series, strict=False):
            height = room * counts[week] / most
            top -= height
            if counts[week]:
                where = f'x="{LEFT + n * step + step * 0.1:.1f}" y="{top:.1f}" width="{step * 0.8:.1f}"'
                where += f' height="{height:.1f}"'
                told = f"{say('week_of')} {week}: {counts[week]} {name}"
                bars.append(f'<rect {where} fill="{colour}"><title>{told}</title></rect>')
        if n % max(1, len(weeks) // 6) == 0:
            begins = min(LEFT + n * step, WIDTH - DAY)  # a day that runs out of the picture is cut off
            bars.append(f'<text x="{begins:.1f}" y="{HEIGHT - 12}">{week}</text>')
    axis = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(round(most * part))}</text>'
        for part in ((0, 0.5, 1) if most > 1 else (0, 1))
        for y in (HEIGHT - BOTTOM - room * part,)
    )
    key = "".join(
        f'<li><i style="background:{colour}"></i>{name}</li>'
        for colour, (name, _) in zip(colours, series, strict=False)
    )
    picture = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{axis}{"".join(bars)}</svg>'
    head = "".join(f'<th class="n">{name}</th>' for name, _ in series)
    rows = "".join(
        f"<tr><td>{week}</td>"
        + "".join(f'<td class="n">{_number(counts[week])}</td>' for _, counts in series)
        + "</tr>"
        for week in weeks
    )
    as_table = f"<table><tr><th>{say('week_of')}</th>{head}</tr>{rows}</table>"
    return f'{picture}<ul class="key">{key}</ul><details><summary>{say("as_table")}</summary>{as_table}</details>'


def _counts(title: str, counter: Counter[str], language: str, say: Callable[[str], str]) -> str:
    if not counter:
        return ""
    rows = "".join(
        f'<tr><td>{escape(label(code, language))}</td><td class="n">{_number(count)}</td></tr>'
        for code, count in sorted(counter.items(), key=lambda one: (-one[1], one[0]))[:40]
    )
    return f'<h2>{title}</h2><table><tr><th></th><th class="n">{say("count")}</th></tr>{rows}</table>'


def _wrong(tally: Tally, findings: Collection[Json], language: str, say: Callable[[str], str]) -> list[str]:
    parts = [f"<h2>{say('wrong')}</h2>"]
    if not findings:
        return [*parts, f"<p>{say('none_wrong')}</p>"]
    codes = "".join(
        f'<tr><td>{escape(finding(code, language))}</td><td class="n">{_number(count)}</td></tr>'
        for code, count in sorted(tally.findings.items())
    )
    parts += [f"<p>{say('wrong_lead')}</p>"]
    parts += [f'<table><tr><th>{say("code")}</th><th class="n">{say("count")}</th></tr>{codes}</table>']
    shown = [*findings][:MOST_FINDINGS]
    rows = "".join(
        f'<tr><td class="n">{one["idx"]}</td><td>{escape(finding(one["code"], language))}</td>'
        f"<td>{_side(one['says'])}</td><td>{_side(one['shows'])}</td></tr>"
        for one in shown
    )
    sides = f"<th>{say('says')}</th><th>{say('shows')}</th>"
    parts += [f'<table><tr><th class="n">{say("line")}</th><th>{say("code")}</th>{sides}</tr>{rows}</table>']
    if len(findings) > len(shown):
        parts += [f"<p>{say('more').format(count=_number(len(findings) - len(shown)))}</p>"]
    return parts


SAID = (
    "actor",
    "role",
    "action",
    "category",
    "purpose",
    "basis",
    "recorded_at",
    "valid_from",
    "valid_until",
    "effective_at",
)


def _side(side: Mapping[str, Any]) -> str:
    return "<br>".join(
        f"{escape(name)}: {breakable(str(side[name]))}" for name in SAID if side.get(name) not in (None, "")
    )


def _check(made: Manifest, say: Callable[[str], str]) -> list[str]:
    rows = (
        f"<tr><td>{say(name)}</td><td><code>{escape(value)}</code></td></tr>"
        for name, value in (("origin", made.origin), ("root", made.root))
    )
    lead = f"<p>{say('check_lead')} <code>samen audit verify</code></p>"
    return [f"<h2>{say('check')}</h2>", lead, f"<table>{''.join(rows)}</table>"]
