"""What a deliverable tells its reader: the real ends of the flow, assumptions, freshness, what a choice costs.

Each check returns its problems, each with the text it found; an empty list is a pass. Wording is judged by
signs (a number with a unit, a word for a choice beside one for its cost) and generously.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from graders.diagram import Diagram, read_diagram
from graders.entries import is_said, read_entries, sentences
from graders.markdown import Block, read, vocabulary, words
from graders.sections import too_long


def flow_diagram_names_the_real_ends(text: str, sources: Sequence[str], destinations: Sequence[str]) -> list[str]:
    """The diagram names a real source and a real destination, and doesn't lead from the latter to the former."""
    if problem := too_long(text):
        return [problem]
    diagram = _flow_diagram(read(text))
    if not diagram.edges:
        return ["there is no data-flow diagram"]
    starts = [node for node in diagram.nodes if any(is_named(name, node) for name in sources)]
    ends = [node for node in diagram.nodes if any(is_named(name, node) for name in destinations)]
    drawn = f"the diagram names {', '.join(diagram.nodes)[:400]}"
    problems = []
    if not starts:
        problems.append(f"no source ({' or '.join(sources)}) in the diagram; {drawn}")
    if not ends:
        problems.append(f"no destination ({' or '.join(destinations)}) in the diagram; {drawn}")
    pairs = [(start, end) for start in starts for end in ends if start != end]
    forward = any(diagram.reaches(start, end) for start, end in pairs)
    if not forward and any(diagram.reaches(end, start) for start, end in pairs):
        problems.append(f"the arrows lead from the destination to the source; {drawn}")
    return problems


def assumptions_about_the_source_are_stated(text: str) -> list[str]:
    """At least one assumption stands in the text: below a heading or label that says so, or in a sentence."""
    if problem := too_long(text):
        return [problem]
    near = ""
    for said, is_meant in _assumptions(text):
        if is_meant:
            return []
        near = said
    return [_nothing("no assumption about the source data is stated", near)]


def stated_assumptions(text: str) -> list[str]:
    """All assumptions that are stated."""
    return [] if too_long(text) else [said for said, is_meant in _assumptions(text) if is_meant]


def _assumptions(text: str) -> Iterator[tuple[str, bool]]:
    """What is said of assumptions, and whether it states one."""
    for entry in read_entries(read(text)):
        label = f"{entry.context} {entry.key}"
        if _ASSUMING.search(label) and len(words(entry.value or entry.text)) >= 3:
            yield entry.text, is_said(entry.value or entry.text) and not _DENIAL.search(entry.text)
        elif any(_ASSUMING.search(line) and len(words(line)) >= 6 for line in sentences(entry.text)):
            yield entry.text, not _DENIAL.search(entry.text)


def freshness_is_a_number(text: str) -> list[str]:
    """A service level or freshness is given as a number with a unit, or as a time of day."""
    if problem := too_long(text):
        return [problem]
    near = ""
    for entry in read_entries(read(text)):
        label = f"{entry.context} {entry.key}"
        for sentence in sentences(entry.text):
            if _FRESHNESS.search(label) or _FRESHNESS.search(sentence):
                near = sentence
                if _AMOUNT.search(sentence):
                    return []
    return [_nothing("no SLA or freshness is given as a number with a unit", near)]


def trade_off_names_its_cost(text: str) -> list[str]:
    """A design decision is stated as a choice together with what it costs or why it was made."""
    if problem := too_long(text):
        return [problem]
    near = ""
    for entry in read_entries(read(text)):
        said = entry.text.casefold()
        label = f"{entry.context} {entry.key}".casefold()
        if len(words(f"{label} {said}")) < 7 or not is_said(said) or _DENIAL.search(said):
            continue
        if _COST_OF_CHOICE.search(said):
            return []
        if _CHOICE.search(said) or _CHOICE.search(label):
            near = entry.text
            if _COST.search(_CHOICE.sub(" ", said)):
                return []
    return [_nothing("no trade-off is stated as a choice with its cost", near)]


def _nothing(problem: str, near: str) -> str:
    return f"{problem}; nearest: {near.strip()[:200]!r}" if near else problem


_FLOW = vocabulary("flow lineage diagram architecture dataflow topology")


def _flow_diagram(blocks: tuple[Block, ...]) -> Diagram:
    """What is drawn below a heading on the flow; without such a drawing, what is drawn anywhere."""
    below: list[Block] = []
    level = 0
    for block in blocks:
        if block.kind == "heading" and (not level or block.level <= level):
            level = block.level if _FLOW & set(words(block.text)) else 0
        elif level:
            below.append(block)
    own = read_diagram(below)
    return own if own.edges else read_diagram(blocks)


_SUFFIXES = vocabulary(".csv .json .jsonl .parquet .avro .orc .txt .gz .xml .sql .py .db .duckdb")


def is_named(name: str, node: str) -> bool:
    """Whether a node names a thing: whole, or by the last part of its path or dotted name."""
    return any(_stands_in(spelling, node.casefold()) for spelling in _spellings(name.casefold()))


def _spellings(name: str) -> Iterable[str]:
    last = PurePosixPath(name.rstrip("/*")).name
    path = PurePosixPath(last)
    yield name
    yield last
    if path.suffix in _SUFFIXES:
        yield path.stem
    elif len(last.rpartition(".")[2]) >= 4:
        yield last.rpartition(".")[2]


def _stands_in(spelling: str, node: str) -> bool:
    if not spelling:
        return False
    # A file's placeholder stands for what a writer puts in, or for another placeholder: orders_<day>.csv, orders_*.csv.
    literals = re.split(r"<\w+>|(?<=\w)\*", spelling) if spelling.endswith(tuple(_SUFFIXES)) else [spelling]
    # (A diagram's reader takes the star for a sign of its drawing, and leaves a space.)
    literal = r"(?:[\w<>{}$*%-]+| )".join(map(re.escape, literals))
    if re.search(rf"(?<!\w){literal}(?!\w)", node):
        return True
    # "daily orders" names daily_orders, but "orders" alone doesn't name fct_orders.
    parts = [part for part in re.split(r"[\W_]+", spelling) if part]
    return len(parts) > 1 and f" {' '.join(parts)} " in f" {' '.join(re.split(r'[^a-z0-9]+', node))} "


_ASSUMING = re.compile(r"\b(?:assum\w*|presum\w*|premises?|we (?:rely|count) on|taken as given)\b", re.IGNORECASE)
_DENIAL = re.compile(
    r"\b(?:no|without|none|zero)\s+(?:\w+\s+)?(?:assumptions?|trade-?\s?offs?|compromises?)\b"
    r"|\b(?:assumptions?|trade-?\s?offs?):?\s+(?:none|n/?a|tbd|todo)\b",
    re.IGNORECASE,
)
_FRESHNESS = re.compile(
    r"\b(?:slas?|slos?|service[- ]levels?|fresh\w*|stale\w*|latency|lag|up[- ]to[- ]date|timeliness"
    r"|(?:available|ready|loaded|complete|completed|landed|visible|delivered|queryable|published|updated|done)"
    r"\s+(?:\w+\s+){0,3}?(?:by|within|before|at most|no later than|in under)"
    r"|no later than|within\b.{1,30}\b(?:of|after))\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"(?<![\w.])\d+(?:[.,]\d+)?\s?-?\s?(?:%|(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|weeks?|months?"
    r"|business days?|percent)\b)"
    r"|\b(?:one|two|three|four|five|six|eight|ten|twelve|fifteen|thirty|sixty|ninety|an?)\s+(?:seconds?|minutes?|hours?|days?)\b"
    r"|\b\d{1,2}:\d{2}\b|\b\d{1,2}\s?(?:am|pm|a\.m\.|p\.m\.|utc|o'clock)|\b[TD]\s?\+\s?\d"
    r"|\b(?:no|zero|without) (?:lag|delay|latency)\b|\b(?:same|one|that|its) transaction\b",
    re.IGNORECASE,
)
_COST_OF_CHOICE = re.compile(
    r"\bat the (?:cost|price|expense) of\b|\bin (?:exchange|return)\b|\bsacrific\w+|\bgiv(?:es?|ing) up\b"
    r"|\btrad(?:es?|ed|ing)\b.{1,80}\bfor\b|\bthe (?:price|cost|downside|drawback|catch) is\b"
    r"|\bpa(?:y|ys|id) for (?:it|this|that)\b|\bbecause\b.{1,200}\b(?:rather than|instead of)\b"
    r"|\b(?:rather than|instead of)\b.{1,200}\bbecause\b",
    re.DOTALL,
)
_CHOICE = re.compile(
    r"\btrade-?\s?offs?\b|\binstead of\b|\brather than\b|\bcho(?:ose|se|sen|ice)\b|\bprefer\w*\b|\bpicked\b"
    r"|\bopted\b|\bdecided (?:for|against)\b|\bdecisions?\b|\bversus\b|\bvs\b|\balternatives?\b"
)
_COST = re.compile(
    r"\b(?:costs?|costly|price|expense|expensive|slower|slow|heavier|longer|larger|bigger|more|extra|additional|less|fewer"
    r"|downside|drawback|overhead|penalty|complex\w*|but|however|although|though|while|yet|needs?|requires?|means"
    r"|accept\w*|los(?:e|es|ing)|rewrit\w+|rescan\w*|dupl\w+|redundan\w+|storage|latency|delay\w*)\b"
)
