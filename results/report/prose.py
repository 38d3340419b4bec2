"""Markdown that a stranger wrote, as HTML that does nothing: no markup of his, no address that is followed."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from results.report.clipping import clipped
from results.text import printable

LONGEST = 100_000  # characters
FIRST_HEADING = 3  # the page's own are above


@functools.lru_cache(maxsize=256)
def rendered(text: str) -> Markup:
    """Headings, lists, tables, code, emphasis. HTML stays text; links and images show an address and lead nowhere."""
    return Markup(_parser().render(clipped(printable(text), LONGEST)))  # noqa: S704 - escaped by the parser, html off


@functools.cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 50}).enable("table")
    for name, rule in {
        "heading_open": _heading_open,
        "heading_close": _heading_close,
        "link_open": _link_open,
        "link_close": _link_close,
        "image": _image,
        "fence": _code,
        "code_block": _code,
        "table_open": _table_open,
        "table_close": _table_close,
        "td_open": _cell_open,
        "th_open": _cell_open,
        "ordered_list_open": _list_open,
    }.items():
        parser.add_render_rule(name, rule)
    return parser


def _heading_level(token: Token) -> int:
    return min(int(token.tag[1:]) + FIRST_HEADING - 1, 6)


def _heading_open(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return f"<h{_heading_level(tokens[index])}>"


def _heading_close(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return f"</h{_heading_level(tokens[index])}>\n"


def _link_open(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return '<span class="dead-link">'


def _link_close(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    depth = 0
    for token in reversed(tokens[: index + 1]):
        depth += {"link_close": 1, "link_open": -1}.get(token.type, 0)
        if token.type == "link_open" and depth == 0:
            return f"</span>{_address(str(token.attrs.get('href', '')))}"
    return "</span>"


def _image(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    return f'<span class="dead-link">[image: {escape(token.content)}]</span>{_address(str(token.attrs.get("src", "")))}'


def _address(address: str) -> str:
    return f" <code>{escape(clipped(printable(address), 300))}</code>"


def _code(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    # A region by itself: what is wider than the page is reached by keyboard.
    return f'<pre tabindex="0"><code>{escape(tokens[index].content)}</code></pre>\n'


def _table_open(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return '<div class="scroll" tabindex="0"><table>\n'


def _table_close(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return "</table></div>\n"


def _cell_open(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return f"<{tokens[index].tag}>"  # its alignment would be a style


def _list_open(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    start = tokens[index].attrs.get("start")
    return f'<ol start="{int(start)}">\n' if start is not None else "<ol>\n"
