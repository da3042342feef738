"""A page as one HTML file that needs nothing else: script, style and data are inside, every request is forbidden."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from plotly.offline import get_plotlyjs

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


class KeyFigure(NamedTuple):
    """One number of the summary band; `holds` marks those that can be right or wrong."""

    name: str
    value: str
    unit: str
    why: str
    holds: bool | None = None


def document(title: str, header: str, main: str, footer: str, data: Mapping[str, Any], script: str) -> str:
    """A page of HTML.

    Parameters
    ----------
    title : str
    header, main, footer : str
        Its parts as HTML.
    data : mapping
        What the scripts read, as JSON: charts by name under "figures", their `zoom` over time [from, to], and
        what `script` needs.
    script : str
        Name of the script beside this file that runs after `draw.js`.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)} - Otaniemi</title>
<style>
{_beside("page.css")}</style>
</head>
<body>
{header}
<main>
{main}
</main>
<footer class="soft">{footer}</footer>
<script type="application/json" id="report-data">{_json(data)}</script>
<script>{get_plotlyjs()}</script>
<script>
{_beside("draw.js")}{_beside(script)}</script>
</body>
</html>
"""


def write_whole(page: str, path: Path) -> None:
    """Write a page to `path`, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)


def band(key_figures: Sequence[KeyFigure]) -> str:
    """The summary band."""
    return f'<dl class="band">{"".join(map(_card, key_figures))}</dl>'


def section(title: str, text: str, body: str) -> str:
    """One question of the reader's: a heading, what there is to see, and that."""
    return f"<section><h2>{escape(title)}</h2>{soft(text) if text else ''}{body}</section>"


def soft(text: str) -> str:
    """A paragraph in the background."""
    return f'<p class="soft">{escape(text)}</p>'


def chart(name: str, words: str) -> str:
    """The place of a chart; `words` say for those who do not see it what it shows."""
    return f'<div class="chart" id="chart-{name}" role="img" aria-label="{escape(words)}"></div>'


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """A table whose first column is text, and whose others are numbers or text too."""
    right = ' class="number"' if numbers else ""
    head = "".join(f'<th scope="col"{right if k else ""}>{escape(text)}</th>' for k, text in enumerate(heads))
    lines = "".join(
        "<tr>"
        + "".join(f"<td{right if k else ''}>{escape(text)}</td>" for k, text in enumerate(row))
        + "</tr>"
        for row in rows
    )
    inner = f"<table><tr>{head}</tr>{lines}</table>"
    # A keyboard can scroll what it can focus.
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(heads[0])}">{inner}</div>'


def _beside(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that no text inside it can leave: `<` never stands for itself."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _card(figure: KeyFigure) -> str:
    mark = {None: "", True: " ✓", False: " ✗"}[figure.holds]
    tone = {None: "", True: " good", False: " bad"}[figure.holds]
    return (
        f'<div class="figure-card"><dt>{escape(figure.name)}</dt>'
        f'<dd class="value{tone}">{escape(figure.value)}{mark} <span class="unit">{escape(figure.unit)}</span></dd>'
        f'<dd class="why">{escape(figure.why)}</dd></div>'
    )
