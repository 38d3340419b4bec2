"""A comparison as JUnit XML, which every CI system shows: one test case for each row of the gate."""

from __future__ import annotations

from xml.etree import ElementTree

from results.comparison import Comparison, FailOn, Row
from results.comparison_rendering import cells_of, expense_line, flip_line, headline, remarks
from results.text import printable


def as_junit(comparison: Comparison, fail_on: FailOn) -> bytes:
    """What regressed is a failure. What is underpowered is skipped, for nothing was decided of it.

    The first case is the verdict in all; only it fails for being underpowered, and only if that was asked.
    """
    cases = [_overall(comparison, fail_on), *(_row(row) for row in comparison.gate)]
    failures = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    suite = ElementTree.Element(
        "testsuite",
        name="bench compare",
        tests=str(len(cases)),
        failures=str(failures),
        errors="0",
        skipped=str(skipped),
        timestamp=comparison.candidate.record.created.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    suite.extend(cases)
    lines = [*map(flip_line, comparison.flips), *map(expense_line, comparison.expenses), *remarks(comparison)]
    ElementTree.SubElement(suite, "system-out").text = printable("\n".join(lines))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _overall(comparison: Comparison, fail_on: FailOn) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="bench.compare", name="verdict")
    told = headline(comparison)
    if comparison.fails(fail_on):
        ElementTree.SubElement(case, "failure", type=comparison.verdict, message=told)
    elif comparison.verdict == "underpowered":
        ElementTree.SubElement(case, "skipped", message=told)
    return case


def _row(row: Row) -> ElementTree.Element:
    name, *cells = cells_of(row)
    case = ElementTree.Element("testcase", classname="bench.compare.measures", name=name)
    told = "baseline {}, candidate {}, difference {}, p {}, {}".format(*cells)
    if row.verdict == "regressed":
        ElementTree.SubElement(case, "failure", type=row.verdict, message=told)
    elif row.verdict == "underpowered":
        ElementTree.SubElement(case, "skipped", message=told)
    return case
