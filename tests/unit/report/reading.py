"""How tests read a page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

from plotly.offline import get_plotlyjs

_VOID = ("meta", "br", "hr", "img", "input", "link")


def own_part(page: str) -> str:
    """The page without Plotly's script."""
    script = get_plotlyjs()
    assert page.count(script) == 1
    return page.replace(script, "")


def carried(page: str) -> Any:
    """The data that the page carries for its charts."""
    found = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def visible(page: str) -> str:
    """What a reader sees before any script runs."""
    text: list[str] = []

    class Reader(HTMLParser):
        hidden = False

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            del attrs
            self.hidden = tag in ("script", "style")

        def handle_endtag(self, tag: str) -> None:
            del tag
            self.hidden = False

        def handle_data(self, data: str) -> None:
            if not self.hidden:
                text.append(data)

    Reader().feed(own_part(page))
    return re.sub(r"\s+", " ", " ".join(text))


def asks_outside(page: str) -> bool:
    """Whether the page holds an address of anything outside itself."""
    own = own_part(page).replace("// ", "")
    return bool(re.search(r"https?:|//[a-z]|\ssrc=|\shref=|@import|url\(", own))


def unbalanced(page: str) -> list[str]:
    """Elements that are closed before or without being opened, or never."""
    wrong: list[str] = []
    open_: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            del attrs
            if tag not in _VOID:
                open_.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if not open_ or open_.pop() != tag:
                wrong.append(tag)

    Reader().feed(own_part(page))
    return wrong + open_
