"""Harbor's task.toml as it is understood here, in older versions, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.foreign.manifest import filled, read_manifest, unsupported


def test_older_versions_say_the_same_otherwise(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(
        'version = "1.0"\nartifacts = ["/out"]\n[environment]\nmemory = "2G"\nstorage = "1G"\nallow_internet = false\n'
    )
    manifest = read_manifest(tmp_path)
    machine = manifest.environment
    assert (machine.memory_mb, machine.storage_mb, machine.network_mode) == (2048, 1024, "no-network")
    assert [artifact.source for artifact in manifest.artifacts] == ["/out"]
    assert not manifest.verifier.is_separate
    assert manifest.graded_folders == ("/",)
    assert unsupported(manifest) == []


def test_an_environment_of_the_verifiers_own_means_a_separate_one(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text('artifacts = ["/out"]\n[verifier.environment]\ncpus = 1\n')
    manifest = read_manifest(tmp_path)
    assert manifest.verifier.is_separate
    assert manifest.graded_folders == ("/out",)


def test_nothing_of_this_machines_variables_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "secret")
    assert filled({"A": "${KEY:-none}/x", "B": "plain", "C": "${KEY}"}) == {"A": "none/x", "B": "plain", "C": ""}


@pytest.mark.parametrize("text", ["[agent]\ntimeout_sec = -1", '[environment]\nmemory = "much"', "artifacts = 3"])
def test_what_is_no_task_is_said_plainly(text: str, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(text)
    with pytest.raises(UsageError, match="no task of Harbor's"):
        read_manifest(tmp_path)
