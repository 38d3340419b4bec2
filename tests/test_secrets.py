"""Keys are planted wherever a user has them; afterwards no byte that a run left or said holds a piece of one."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import cli, discovery, models
from harness.errors import UsageError
from harness.models import ModelParameters
from harness.sandboxes import docker as docker_sandbox
from results.run_directory import RunDirectory, find_runs
from tests.cli.program import bench
from tests.cli.tiny import DELIVERABLE, make_suite
from tests.provider import Answer, Call, Failure, ProviderServer, Request
from tests.provider.fixture import provider
from tests.provider.script import Happening

__all__ = ["provider"]

PROVIDERS = discovery.names("harness.models")
VARIABLES = {name: discovery.load("harness.models", name).KEY for name in PROVIDERS}
MARKS = {
    variable: f"{number}Qz7planted{number}Xk9w"
    for number, variable in enumerate(
        (*VARIABLES.values(), "ANTHROPIC_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"), 1
    )
}
KEYS = {variable: f"sk-live-{mark}" for variable, mark in MARKS.items()}
PRINT_ALL = "env; cat /proc/*/environ /proc/*/cmdline /root/.env ~/.netrc 2>/dev/null"
GREET = f"({PRINT_ALL}; env) >&2\nexit 1\n"


def leaks(content: bytes) -> list[str]:
    """Whose key is in there: whole, its telling part alone, or either in base 64 at any offset."""

    def shapes(mark: str) -> Iterator[bytes]:
        yield mark.encode()
        yield mark[-8:].encode()
        for offset in range(3):
            # Without the ends, which depend on what stands beside it.
            yield base64.b64encode(bytes(offset) + mark.encode())[4:-4]

    return [name for name, mark in MARKS.items() if any(shape in content for shape in shapes(mark))]


def assert_nothing_leaked(folder: Path, *said: str) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    leaking = {str(path): found for path in files if (found := leaks(path.read_bytes()))}
    leaking |= {text[:80]: found for text in said if (found := leaks(text.encode()))}
    assert not leaking


def key_in(request: Request) -> str:
    """What the provider was sent: that the key gets there at all."""
    return request.headers.get("x-api-key") or request.headers["authorization"].removeprefix("Bearer ")


class Gossip:
    """A provider that repeats the key it was sent wherever it can, and a model that looks for keys."""

    def __init__(self, variable: str) -> None:
        self.variable = variable
        self.refused = False
        self.inspected: list[str] = []
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Happening:
        key = key_in(request)
        assert key == KEYS[self.variable]
        if not self.refused:
            self.refused = True
            return Failure(429, f"slow down, {key}", "rate_limit_error", retry_after=0)
        self.inspect()
        files = {"greet.sh": GREET + f"# {key}\n", "DELIVERABLE.md": f"{DELIVERABLE.read_text()}\n{key}\n"}
        if "submit_files" in request.tools:
            handed_in = [{"path": path, "content": content} for path, content in files.items()]
            return Answer(f"Incorrect API key provided: {key}", (Call("submit_files", {"files": handed_in}),))
        if request.turns == 0:
            return Answer(f"your key is {key}", (Call("bash", {"command": PRINT_ALL}),))
        if request.turns == 1:
            writes = [Call("write_file", {"path": path, "content": text}) for path, text in files.items()]
            return Answer("", (*writes, Call("bash", "{broken " + key), Call("read_file", {"path": key})))
        return Answer("", (Call("submit"),))

    def inspect(self) -> None:
        """What Docker knows of all boxes that are open now."""
        with self.lock:
            api = docker_sandbox.client().api
            for box in api.containers(filters={"label": docker_sandbox.LABEL}):
                self.inspected.append(json.dumps(api.inspect_container(box["Id"])))


@pytest.mark.docker
@pytest.mark.parametrize(
    ("name", "agent", "sandbox"),
    [
        ("anthropic", "tools", "docker"),
        pytest.param("openai-compatible", "oneshot", "bubblewrap", marks=pytest.mark.bubblewrap),
        pytest.param("openai", "tools", "bubblewrap", marks=[pytest.mark.bubblewrap, pytest.mark.nightly]),
    ],
)
def test_a_run_leaves_no_key_behind_however_much_is_told(
    name: str,
    agent: str,
    sandbox: str,
    provider: ProviderServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable, key in KEYS.items():
        monkeypatch.setenv(variable, key)
    suite = make_suite(tmp_path / "tiny")
    provider.script = gossip = Gossip(VARIABLES[name])
    asked = ["--model", f"{name}/any", "--agent", agent, "--base-url", provider.base_url(name)]
    done = bench("run", *asked, "--suite", str(suite), "--sandbox", sandbox, cwd=tmp_path, **KEYS)
    assert done.returncode == 0, done.stderr
    (path,) = find_runs(tmp_path / "runs")
    (record,) = RunDirectory.open(path).records()
    assert (record.status, record.score) == ("graded", 0.0)
    assert any("PATH=" in check.evidence for check in record.checks), "the submission's environment is looked at"
    assert_nothing_leaked(path, done.stdout, done.stderr, *gossip.inspected)
    assert b"[key]" in (path / "trials/text--one/1/transcript.jsonl").read_bytes(), "what was told is looked at"
    assert gossip.inspected or sandbox != "docker"
    for arguments in (["leaderboard"], ["leaderboard", "--json"], ["leaderboard", "--csv"]):
        assert cli.execute([*arguments, str(path)]) == 0
        shown = capsys.readouterr()
        assert not leaks((shown.out + shown.err).encode())


@pytest.mark.bubblewrap
@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_that_refuses_a_key_and_quotes_it(
    name: str,
    provider: ProviderServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the traceback that a user is asked to send in."""
    monkeypatch.chdir(tmp_path)
    for variable, key in {**KEYS, cli.TRACEBACK: "1"}.items():
        monkeypatch.setenv(variable, key)
    suite = make_suite(tmp_path / "tiny")

    def refuses(request: Request) -> Failure:
        key = key_in(request)
        return Failure(401, f"Incorrect API key {key}, {key[:14]}******{key[-4:]}: {key!r}", "authentication_error")

    provider.script = refuses
    asked = ["--model", f"{name}/any", "--agent", "oneshot", "--base-url", provider.base_url(name)]
    code = cli.execute(["run", *asked, "--suite", str(suite), "--sandbox", "bubblewrap"])
    said = capsys.readouterr()
    assert code == 3
    assert "Traceback" in said.err
    assert VARIABLES[name] in said.err, "the mend names the variable"
    assert_nothing_leaked(tmp_path / "runs", said.out, said.err)


@pytest.mark.bubblewrap
def test_a_fault_that_quotes_a_key(
    provider: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable, key in KEYS.items():
        monkeypatch.setenv(variable, key)
    suite = make_suite(tmp_path / "tiny")

    def fails(*_: object) -> None:
        raise RuntimeError(f"Bearer {KEYS['ANTHROPIC_API_KEY']}")

    monkeypatch.setattr("harness.models.anthropic.Claude.reply", fails)
    asked = ["--model", "anthropic/any", "--agent", "oneshot", "--base-url", provider.base_url("anthropic")]
    code = cli.execute(["run", *asked, "--suite", str(suite), "--sandbox", "bubblewrap"])
    said = capsys.readouterr()
    assert code == 3
    assert "unexpected RuntimeError: Bearer [key]" in said.err
    assert_nothing_leaked(tmp_path / "runs", said.out, said.err)
    assert [path for path in tmp_path.rglob("fault.txt") if "Bearer [key]" in path.read_text()]


@pytest.mark.parametrize(
    "address",
    [
        "http://me:{}@127.0.0.1:9/v1",
        "https://{}@gateway.test/v1",
        "http://127.0.0.1:9/v1?key={}",
        "http://127.0.0.1:9/v1#{}",
        "http://127.0.0.1:{}/v1",
        "http://[{}/v1",
        "{}",
        "ftp://{}/v1",
        "http://127.0.0.1:9/\x1b[2J{}",
    ],
)
def test_an_address_is_bare_and_never_quoted(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = make_suite(tmp_path / "tiny")
    mark = MARKS["OPENAI_API_KEY"]
    asked = ["--model", "openai-compatible/any", "--base-url", address.format(mark), "--suite", str(suite)]
    assert cli.execute(["run", *asked]) == 2
    said = capsys.readouterr()
    assert "--base-url" in said.err
    assert not leaks((said.out + said.err).encode())
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("key", ["{} {}", "{}\n{}", "{}\0", "{}\u2019", "\ud800{}"])
def test_what_no_header_can_carry_is_no_key(name: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = MARKS[VARIABLES[name]]
    monkeypatch.setattr("os.environ", {VARIABLES[name]: key.format(mark, mark)})
    with pytest.raises(UsageError, match=VARIABLES[name]) as caught:
        models.connect(f"{name}/any", ModelParameters(base_url="http://127.0.0.1:9/v1"))
    assert mark not in str(caught.value)


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_line_break_of_a_file_is_no_part_of_a_key(
    name: str, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLES[name], f"{KEYS[VARIABLES[name]]}\r\n")
    seen = []

    def answers(request: Request) -> Answer:
        seen.append(key_in(request))
        return Answer("yes")

    provider.script = answers
    model = models.connect(f"{name}/any", ModelParameters(base_url=provider.base_url(name)))
    model.reply("", [models.Message("user", "is it?")], [])
    assert seen == [KEYS[VARIABLES[name]]]
    assert KEYS[VARIABLES[name]] not in repr(model)


def test_a_leak_would_be_noticed(tmp_path: Path) -> None:
    """The look itself works."""
    for number, (name, key) in enumerate(KEYS.items()):
        for shape in (key.encode(), b"x" + key[-10:].encode(), base64.b64encode(b"ab" * number + key.encode())):
            (tmp_path / "leak").write_bytes(b"\xff" + shape + b"\n")
            assert name in leaks((tmp_path / "leak").read_bytes())
            with pytest.raises(AssertionError):
                assert_nothing_leaked(tmp_path)
