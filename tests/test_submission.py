from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.submission import (
    Submission,
    SubmissionError,
    SubmissionLimits,
    from_files,
    from_folder,
    matches,
    safe_path,
    to_tar,
)


def test_equal_content_has_an_equal_digest() -> None:
    one, other = Submission({"a": b"1", "b": b"2"}), Submission({"b": b"2", "a": b"1"})
    assert one.digest == other.digest
    assert len(one.digest) == 64


@pytest.mark.parametrize(
    "files", [{}, {"a": b"2", "b": b"1"}, {"a": b"1"}, {"a": b"12", "b": b""}, {"a1": b"", "b": b"2"}, {"ab": b"12"}]
)
def test_other_content_has_another_digest(files: dict[str, bytes]) -> None:
    assert Submission(files).digest != Submission({"a": b"1", "b": b"2"}).digest


def test_a_file_is_no_folder() -> None:
    """Both can't be written, so they are refused while the agent can still be told."""
    with pytest.raises(SubmissionError, match=r"'sql/load.sql/old' lies below 'sql/load.sql'"):
        from_files({"sql/load.sql": b"", "sql/load.sql-2": b"", "sql/load.sql/old": b""})


contents = st.dictionaries(st.text("ab/", min_size=1, max_size=3), st.binary(max_size=3), max_size=3)


@given(contents, contents)
def test_digests_are_equal_only_for_equal_files(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (Submission(one).digest == Submission(other).digest) == (one == other)


@pytest.mark.parametrize("path", ["a", "a/b.sql", "a b", "\u00e9.txt", ".hidden", "a/./b", "..a", "a..b/c"])
def test_paths_that_stay_inside(path: str) -> None:
    assert ".." not in safe_path(path).parts


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "/etc/passwd",
        "..",
        "../a",
        "a/../../b",
        "a/..",
        "a\\b",
        "a\nb",
        "a\0b",
        "\x1b[2J",
        "a" * 241,
        "\u00e9" * 128,
    ],
)
def test_paths_that_dont(path: str) -> None:
    with pytest.raises(SubmissionError):
        safe_path(path)


@pytest.mark.parametrize(
    ("path", "glob", "is_match"),
    [
        ("load.sql", "*.sql", True),
        ("dags/a/b.py", "dags/**", True),
        ("dags.py", "dags/**", False),
        ("Load.SQL", "*.sql", False),
        ("a/b", "**", True),
    ],
)
def test_globs(path: str, glob: str, is_match: bool) -> None:
    assert matches(path, [glob]) == is_match


def test_only_what_was_asked_for_is_kept() -> None:
    files = {"load.sql": b"1", "notes.txt": b"2", "models/a.sql": b"3"}
    assert set(from_files(files, ["*.txt", "models/**"]).files) == {"notes.txt", "models/a.sql"}


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (SubmissionLimits(files=1), "2 files were left; at most 1"),
        (SubmissionLimits(file_bytes=3), "'b' has 4 bytes; at most 3"),
        (SubmissionLimits(total_bytes=6), "7 bytes were left; at most 6"),
    ],
)
def test_limits(limits: SubmissionLimits, said: str) -> None:
    files = {"a": b"123", "b": b"1234"}
    with pytest.raises(SubmissionError, match=said):
        from_files(files, limits=limits)
    assert from_files(files, limits=SubmissionLimits(files=2, file_bytes=4, total_bytes=7)).files == files


def test_what_a_glob_with_an_exclamation_mark_names_is_left_out() -> None:
    files = {"load.py": b"1", "lake/orders/a.parquet": b"2", "warehouse.duckdb.wal": b"3", "lake.py": b"4"}
    assert set(from_files(files, ["!lake/*", "**", "!warehouse.duckdb*"]).files) == {"load.py", "lake.py"}


def test_what_is_not_asked_for_counts_for_no_limit() -> None:
    assert from_files({"a.sql": b"1", "big.bin": bytes(100)}, ["*.sql"], SubmissionLimits(1, 10, 10)).files


def test_a_folder_is_read_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "left"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "kept.sql").write_bytes(b"kept")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    assert from_folder(folder).files == {"a/kept.sql": b"kept"}
    assert from_folder(tmp_path / "no such folder").files == {}


@pytest.mark.parametrize("limits", [SubmissionLimits(files=1), SubmissionLimits(file_bytes=3)])
def test_a_folder_that_is_too_big(tmp_path: Path, limits: SubmissionLimits) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"1234")
    with pytest.raises(SubmissionError):
        from_folder(tmp_path, limits=limits)


def test_overlaid_and_without_leave_the_original_alone() -> None:
    first = Submission({"a": b"1"})
    assert first.overlaid({"b": b"2"}).without(["a", "c"]).files == {"b": b"2"}
    assert first.files == {"a": b"1"}


def test_a_deliverable_of_bytes_that_are_no_text() -> None:
    assert Submission({"DELIVERABLE.md": b"a\xff"}).deliverable == "a\ufffd"
    assert Submission().deliverable == ""


def test_written_files_are_read_back(tmp_path: Path) -> None:
    whole = Submission({"a/b": b"\x00\xff", "c": b""})
    whole.write(tmp_path)
    assert from_folder(tmp_path).files == whole.files


def test_a_tar_is_the_same_for_the_same_files() -> None:
    tar = to_tar({"b": b"2", "a": b"1"})
    assert tar == to_tar({"a": b"1", "b": b"2"})
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert [(entry.name, entry.mtime, entry.uid, entry.mode) for entry in archive] == [
            ("a", 0, 0, 0o644),
            ("b", 0, 0, 0o644),
        ]
