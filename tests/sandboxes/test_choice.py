from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.sandboxes import Diagnosis, _choice
from harness.sandboxes._box import Box
from harness.sandboxes.bubblewrap import Bubblewrap
from harness.sandboxes.docker import Docker, DockerSpace, client

WORKS, BROKEN = Diagnosis(True, "fine"), Diagnosis(False, "no engine answers", "start it")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Says which sandboxes work on this machine."""

    def has(docker: Diagnosis, bubblewrap: Diagnosis) -> None:
        monkeypatch.setattr(Docker, "diagnose", lambda self: docker)
        monkeypatch.setattr(Bubblewrap, "diagnose", lambda self: bubblewrap)

    return has


@pytest.mark.parametrize(
    ("docker", "bubblewrap", "chosen"),
    [(WORKS, WORKS, "docker"), (WORKS, BROKEN, "docker"), (BROKEN, WORKS, "bubblewrap")],
)
def test_auto_takes_the_strongest_that_works(machine, docker: Diagnosis, bubblewrap: Diagnosis, chosen: str) -> None:
    machine(docker, bubblewrap)
    assert _choice.choose("auto", trusted=False).name == chosen


def test_auto_takes_the_quickest_for_our_own_baselines(machine) -> None:
    machine(BROKEN, BROKEN)
    assert _choice.choose("auto", trusted=True).name == "embedded"


def test_where_nothing_confines_no_model_is_run(machine) -> None:
    machine(BROKEN, Diagnosis(False, "bwrap is not installed"))
    with pytest.raises(UsageError) as caught:
        _choice.choose("auto", trusted=False)
    assert "docker: no engine answers; bubblewrap: bwrap is not installed" in caught.value.problem
    assert "bench doctor" in caught.value.mend


def test_what_a_model_wrote_never_runs_unconfined(machine) -> None:
    machine(WORKS, WORKS)
    with pytest.raises(UsageError, match="doesn't confine") as caught:
        _choice.choose("embedded", trusted=False)
    assert caught.value.mend == "use --sandbox docker or bubblewrap"


@pytest.mark.parametrize("trusted", [True, False])
def test_a_named_sandbox_must_work(machine, trusted: bool) -> None:
    machine(BROKEN, WORKS)
    assert _choice.choose("bubblewrap", trusted=trusted).name == "bubblewrap"
    with pytest.raises(UsageError, match="'docker' doesn't work here: no engine answers") as caught:
        _choice.choose("docker", trusted=trusted)
    assert caught.value.mend == "start it"


def test_our_own_baselines_may_run_confined_or_not(machine) -> None:
    machine(WORKS, WORKS)
    assert {_choice.choose(name, trusted=True).name for name in ("embedded", "docker")} == {"embedded", "docker"}


@pytest.mark.parametrize("name", ["podman", "", "_box", "../docker", "Docker"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=f"^unknown sandbox {name!r}") as caught:
        _choice.choose(name, trusted=True)
    assert caught.value.mend == "known: bubblewrap, docker, embedded"


def test_only_the_embedded_sandbox_doesnt_confine() -> None:
    confines = {name: _choice.load(name).confines for name in ("docker", "bubblewrap", "embedded")}
    assert confines == {"docker": True, "bubblewrap": True, "embedded": False}


def test_a_docker_engine_out_of_reach_is_told_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.sandboxes import docker

    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    docker.client.cache_clear()
    try:
        diagnosis = Docker().diagnose()
    finally:
        docker.client.cache_clear()
    assert not diagnosis.works
    assert "--sandbox bubblewrap" in diagnosis.mend


def test_a_missing_bwrap_is_told_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    diagnosis = Bubblewrap().diagnose()
    assert not diagnosis.works
    assert diagnosis.mend == "install the package `bubblewrap`"


@pytest.mark.docker
def test_another_runtime_of_docker_is_handed_to_its_containers() -> None:
    sandbox = _choice.choose("auto", trusted=False, docker_runtime="runc")
    assert sandbox.name == "docker:runc"
    assert _choice.load(sandbox.name).diagnose() == sandbox.diagnose()
    with Box(sandbox, "core") as box:
        space = box.space
        assert isinstance(space, DockerSpace)
        told = client().api.inspect_container(space.name)
        assert told["HostConfig"]["Runtime"] == "runc"
        assert box.run(["id", "-u"]).stdout.strip() == "10002"


@pytest.mark.docker
def test_a_runtime_that_the_docker_engine_doesnt_know_is_told_before_anything_starts() -> None:
    with pytest.raises(UsageError, match="knows no runtime 'runsc-no'; it knows") as caught:
        _choice.choose("docker", trusted=True, docker_runtime="runsc-no")
    assert "daemon.json" in caught.value.mend


@pytest.mark.parametrize("name", ["bubblewrap", "embedded"])
def test_only_docker_takes_a_runtime(name: str) -> None:
    with pytest.raises(UsageError, match="--docker-runtime belongs to the docker sandbox"):
        _choice.choose(name, trusted=True, docker_runtime="runc")
    with pytest.raises(UsageError, match="takes no runtime"):
        _choice.load(f"{name}:runc")
