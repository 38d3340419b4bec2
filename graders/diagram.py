"""Data-flow diagrams as people write them: arrows in a line, boxes drawn in text, Mermaid, Graphviz.

Read generously: what counts is which named nodes the writer joined by arrows, not how the drawing is made.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graders.markdown import Block, vocabulary, walk

# Code in these languages is code: an arrow in it is an operator, no drawing.
CODE = vocabulary(
    "bash c console csv dockerfile go hcl html ini java javascript jinja js json log makefile powershell py",
    "python rust scala sh shell sql toml ts typescript xml yaml yml zsh",
)
MAX_LINES = 400
MAX_WIDTH = 500


@dataclass(frozen=True)
class Diagram:
    """The nodes in the order they are drawn, and the pairs that an arrow joins."""

    nodes: tuple[str, ...] = ()
    edges: frozenset[tuple[str, str]] = frozenset()

    def reaches(self, start: str, end: str) -> bool:
        """Whether arrows lead from one node to the other."""
        seen, ahead = {start}, [start]
        while ahead:
            node = ahead.pop()
            new = {target for source, target in self.edges if source == node} - seen
            seen |= new
            ahead.extend(new)
        return end in seen


def read_diagram(blocks: Iterable[Block]) -> Diagram:
    """All that is drawn in the blocks, as one diagram: only nodes that an arrow joins."""
    drawing = _Drawing()
    budget = MAX_LINES
    for block in walk(blocks):
        lines = [line[:MAX_WIDTH] for line in block.text.split("\n")[:budget]]
        if block.kind == "code" and block.info not in CODE:
            budget -= len(lines)
            before = len(drawing.edges)
            if _is_mermaid(block.info, lines):
                _read_mermaid(lines, drawing)
            if len(drawing.edges) == before:
                _read_text(lines, drawing)
        elif block.kind == "paragraph" and any(_ARROW.search(line) for line in lines):
            budget -= len(lines)
            _read_text([line.replace("`", "") for line in lines], drawing)
    return drawing.finished()


@dataclass
class _Drawing:
    """A diagram that is being read: names by key, so that a node may be named once and used often."""

    names: dict[str, str] = field(default_factory=dict)
    edges: set[tuple[str, str]] = field(default_factory=set)

    def node(self, key: str, name: str) -> str:
        known = self.names.get(key, "")
        if name not in known:
            self.names[key] = f"{known} {name}".strip()[:MAX_WIDTH]
        return key

    def join(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        for source in sources[:20]:
            self.edges.update((source, target) for target in targets[:20] if source != target)

    def finished(self) -> Diagram:
        joined = {key for edge in self.edges for key in edge}
        return Diagram(
            tuple(dict.fromkeys(name for key, name in self.names.items() if key in joined)),
            frozenset((self.names[source], self.names[target]) for source, target in self.edges),
        )


_HEADS = "→⟶➔➜➝➞➡⇒⟹▶►▸⮕↦"
_DASHES = "-=~.─━═╌┄┈"
_ARROW = re.compile(
    rf"[{_DASHES}]{{1,40}}(?:>{{1,2}}|[{_HEADS}])[{_DASHES}]{{0,9}}|>>|[{_HEADS}]\ufe0f?[{_DASHES}]{{0,9}}"
    rf"|(?<=[├└╰╠╚┼┴┬])>"
)
_BACK = re.compile(rf"(?:<|[←⟵◀◄⇐])[{_DASHES}]{{1,40}}(?![{_DASHES}>])|[←⟵◀◄⇐]")
# A line that ends in one of these goes on in an arrow of a line below it, or above it.
_TO_BELOW = re.compile(rf"[{_DASHES}][┐╮╗┤╣┼┬+]$")
_TO_ABOVE = re.compile(rf"[{_DASHES}][┘╯╝┤╣┼┴+]$")
_DOWN = frozenset("▼↓⬇⇓vV|│┃╎¦")
_BOX = "│┃║|"
_DRAWN = frozenset(" \t|│┃║╎¦vV▼↓⬇⇓▲↑^+*-_=─━═╌┄┌┐└┘├┤┬┴┼╭╮╯╰╔╗╚╝╠╣╦╩╬/\\<>\ufe0f")


def _read_text(lines: Sequence[str], drawing: _Drawing) -> None:
    """Lines of nodes with arrows between them, and lines that are nothing but an arrow down.

    Lines without an arrow between them belong together: they are the text of one box, or boxes side by side. Lines
    that end in a corner share the arrow of one line among them.
    """
    above: list[str] = []
    waiting: list[str] = []
    target: list[str] = []
    is_joined = False
    for line in lines:
        bare = line.strip()
        if not any(map(str.isalnum, bare)) or set(bare) <= _DRAWN:
            is_joined = is_joined or _points_down(bare)
            continue
        if bare[0] in _DOWN - {"v", "V"} and bare[-1] not in _BOX and not _ARROW.search(bare):
            is_joined = True  # an arrow down with a word beside it
            continue
        if bare[:2] in {"v ", "V "}:
            is_joined = True
            continue
        parts = [_nodes(part, drawing) for part in _ARROW.split(_forward(bare))]
        for left, right in itertools.pairwise(parts):
            drawing.join(left or above, right)
        if len(parts) > 1:
            drawing.join(waiting, parts[1])
            waiting, target = [], parts[1]
        if _TO_ABOVE.search(bare):
            drawing.join(parts[-1], target)
        if _TO_BELOW.search(bare):
            waiting = [*waiting, *parts[-1]][-20:]
        found = [key for part in parts for key in part]
        if is_joined:
            drawing.join(above, found)
            above = found
        else:
            above = above + found if len(parts) == 1 else found
        # An arrow at the end of a line points to the next one.
        is_joined = len(parts) > 1 and not parts[-1]
        above = above[-20:]


def _points_down(bare: str) -> bool:
    """Whether a line without words is an arrow down, rather than the edge or the empty inside of a box."""
    signs = set(bare) - {" ", "\t"}
    return bool(signs & set("▼↓⬇⇓vV")) or (bool(signs) and signs <= set("|│┃╎¦") and len(bare.split()) == 1)


def _forward(line: str) -> str:
    """A line with its backward arrows turned, if it has no others."""
    if _ARROW.search(line) or not _BACK.search(line):
        return line
    return " → ".join(reversed(_BACK.split(line)))


def _nodes(part: str, drawing: _Drawing) -> list[str]:
    keys = []
    for piece in re.split(rf"[{re.escape(_BOX)}]", part):
        name = " ".join(re.sub(r"[\[\](){}<>\"'*`┌┐└┘├┤┬┴┼─━═╔╗╚╝]+", " ", piece).strip(" -:;,.+\t").split())
        if any(map(str.isalnum, name)):
            keys.append(drawing.node(name.casefold(), name))
    return keys


def _is_mermaid(info: str, lines: Sequence[str]) -> bool:
    first = next((line.strip() for line in lines if line.strip()), "")
    return info == "mermaid" or first.startswith(("graph ", "flowchart ", "sequenceDiagram"))


_MERMAID_WORDS = vocabulary(
    "graph flowchart sequencediagram subgraph end classdef class style linkstyle direction click note",
    "activate deactivate autonumber title loop alt else opt par and rect",
)
_MERMAID_ARROW = re.compile(
    r"\s*(?:<?(?:-{2,}|={2,}|-\.{1,9}-?)(?:>{1,2}|[xo](?=\s))?|-{1,2}>{1,2}|--?[x)](?=\s)|-\))(?:\|[^|]{0,200}\|)?\s*"
)
_MERMAID_LABEL = re.compile(r"(?:--|==|-\.)\s+[^-=|\[\](){}]{1,200}?\s+(?=(?:--|==|\.-)[->.=])")


def _read_mermaid(lines: Sequence[str], drawing: _Drawing) -> None:
    for line in lines:
        for statement in line.split(";"):
            _read_statement(statement.strip(), drawing)


def _read_statement(statement: str, drawing: _Drawing) -> None:
    words = statement.split()
    if not words or statement.startswith("%%") or words[0].casefold() in _MERMAID_WORDS:
        return
    if words[0] in {"participant", "actor"}:
        key, _, label = statement.partition(" ")[2].partition(" as ")
        drawing.node(key.strip(), label.strip() or key.strip())
        return
    # A label may hold anything; it is set aside before arrows are looked for.
    labels: list[str] = []
    bare = re.sub(r"\"[^\"]{0,300}\"", lambda match: _set_aside(match[0], labels), statement)
    bare = _MERMAID_LABEL.sub(" ", bare)
    previous: list[str] = []
    for part in _MERMAID_ARROW.split(bare):
        keys = [key for piece in part.split("&") if (key := _mermaid_node(piece, labels, drawing))]
        drawing.join(previous, keys)
        previous = keys or previous


def _set_aside(label: str, labels: list[str]) -> str:
    labels.append(label)
    return f"\x02{len(labels) - 1}\x03"


def _mermaid_node(piece: str, labels: Sequence[str], drawing: _Drawing) -> str:
    """``id``, ``id[Label]``, ``id[("Label")]``, ``id:::class``, ``id: message``; the key is the id."""
    match = re.match(r"\s*([\w.\-/]+|\x02\d+\x03)(.*)$", piece, re.DOTALL)
    if match is None:
        return ""
    shape = match[2].partition(":::")[0]
    if not shape.lstrip().startswith(("[", "(", "{", ">")):
        shape = ""
    name = re.sub(r"\x02(\d+)\x03", lambda found: labels[int(found[1])], f"{match[1]} {shape}")
    return drawing.node(match[1], " ".join(re.sub(r"[\[\](){}<>\"|\\]+|(?<!\w)/|/(?!\w)", " ", name).split()))
