"""Transcripts as data: calls with their results, times, and a mark where something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results.report.transcript import LONGEST, data_file, entries
from tests.report.conftest import TRANSCRIPT


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "transcript.jsonl"
    path.write_text(TRANSCRIPT)
    return path


def kinds(path: Path) -> list[str]:
    return [entry["kind"] for entry in entries(path)]


def test_a_call_is_one_entry_with_its_result(transcript):
    system, user, assistant, tool, note = entries(transcript)
    assert (system["kind"], user["kind"], note["kind"]) == ("system", "user", "note")
    assert (assistant["text"], assistant["meta"]) == ("I look first.", "+0:04 · 3.5 s · 1,234 tokens")
    assert tool == {
        "kind": "tool", "name": "bash", "summary": "ls -l", "text": "ls -l", "result": "orders.csv", "failed": False,
        "meta": "+0:04 · 0.2 s",
    }  # fmt: skip
    assert note["meta"] == "+1:10"


def test_what_is_damaged_or_unknown_is_a_gap(transcript):
    lines = TRANSCRIPT.splitlines()
    lines[1] = lines[1][:20]
    lines[3] = '{"event": "tool_result", "id": "9", "text": "whose?"}'
    lines.append('{"event": "dream", "text": "of sheep"}')
    lines.append("[" * 100_000)
    transcript.write_text("\n".join(lines))
    assert kinds(transcript) == ["system", "gap", "assistant", "gap", "gap", "note", "gap", "gap"]
    texts = [entry["text"] for entry in entries(transcript) if entry["kind"] == "gap"]
    assert texts[0] == "Line 2 of the transcript is damaged and can't be shown."
    assert texts[1] == "A result without its call: whose?"
    assert "dream" in texts[3]
    assert texts[4] == "Line 8 of the transcript is damaged and can't be shown."


def test_a_call_without_a_result_says_so_by_having_none(transcript):
    transcript.write_text("\n".join(TRANSCRIPT.splitlines()[:4]))
    *_, tool = entries(transcript)
    assert tool["result"] is None


def test_there_is_none_or_it_is_a_link(tmp_path, transcript):
    assert kinds(tmp_path / "nowhere") == []
    (tmp_path / "link").symlink_to(transcript)
    assert kinds(tmp_path / "link") == []


def test_the_data_file_is_one_call_with_json(transcript):
    transcript.write_text(json.dumps({"event": "note", "text": "</script>\u2028 & " + "x" * (LONGEST + 5)}))
    text = data_file("transcripts/r/t-1.js", transcript)
    head, tail = 'transcript("transcripts/r/t-1.js", ', ");\n"
    assert text.startswith(head)
    assert text.endswith(tail)
    (entry,) = json.loads(text[len(head) : -len(tail)])
    assert entry["text"].startswith("</script>\u2028 & xxx")
    assert "more characters" in entry["text"]
    assert not set("<>&\u2028") & set(text)
