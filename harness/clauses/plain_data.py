"""Readings, findings, differences and coverage as plain data, for ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from graders.contract import Contract
from harness.clauses.coverage import Coverage
from harness.clauses.difference import Difference
from harness.clauses.lint import Finding
from harness.clauses.reading import Clause, Reading
from harness.persona import Persona


def of_reading(persona: Persona, reading: Reading) -> dict[str, Any]:
    identity = reading.identity
    return {
        "name": persona.name,
        "digest": persona.digest,
        "identity": {
            "title": identity.title,
            "fields": [{"name": name, "value": value} for name, value in identity.fields],
            "role": identity.role,
        },
        "sections": [asdict(section) for section in reading.sections],
        "clauses": [of_clause(clause) for clause in reading.clauses],
        "contract": of_contract(reading.contract) if reading.contract else None,
        "notes": [asdict(note) for note in reading.notes],
    }


def of_clause(clause: Clause) -> dict[str, Any]:
    return asdict(clause)


def of_contract(contract: Contract) -> dict[str, Any]:
    return {
        "title": contract.title,
        "sections": [
            {
                "name": section.name,
                "kind": section.kind,
                "parts": [
                    {"name": part.name, "hint": part.hint, "choices": part.choices, "condition": part.condition}
                    for part in section.parts
                ],
            }
            for section in contract.sections
        ],
        "placeholders": sorted(contract.placeholders),
    }


def of_findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]


def of_differences(found: Sequence[Difference]) -> list[dict[str, Any]]:
    return [
        {
            "change": difference.change,
            "likeness": round(difference.likeness, 3),
            "old": of_clause(difference.old) if difference.old else None,
            "new": of_clause(difference.new) if difference.new else None,
        }
        for difference in found
    ]


def of_coverage(matrix: Coverage) -> dict[str, Any]:
    return {
        "tasks": matrix.tasks,
        "clauses": [
            {
                "id": row.clause.id,
                "kind": row.clause.kind,
                "text": row.clause.text,
                "line": row.clause.lines[0],
                "canonical": row.clause.canonical,
                "tests": [asdict(test) for test in row.tests],
            }
            for row in matrix.rows
        ],
        "uncovered": [clause.id for clause in matrix.uncovered],
        "gaps": [clause.id for clause in matrix.gaps],
        "unknown": [{"where": where, "name": name} for where, name in matrix.unknown],
    }
