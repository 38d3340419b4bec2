"""A box as the harness uses it: the same in every sandbox."""

from __future__ import annotations

import hashlib
import json

import pytest

from harness.errors import InfrastructureError
from harness.sandboxes._box import Box
from harness.submission import SubmissionError, SubmissionLimits
from tests.sandboxes.inside import found, python


def test_output_and_exit_code(any_box: Box) -> None:
    done = any_box.run(["bash", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.exit_code, done.stdout, done.stderr, done.killed, done.ok) == (3, "out\n", "err\n", None, False)
    assert done.explain() == "exit code 3\nerr"


def test_death_by_a_signal(any_box: Box) -> None:
    assert any_box.run(["bash", "-c", "kill -TERM $$"]).exit_code == -15


def test_a_command_that_is_not_there(any_box: Box) -> None:
    done = any_box.run(["no-such-program"])
    assert done.exit_code == 127
    assert "no-such-program" in done.stderr


def test_bytes_that_are_no_text(any_box: Box) -> None:
    done = any_box.run(["printf", r"a\xff\xfe\x00\n\xc3\xa9"])
    assert done.stdout == "a\ufffd\ufffd\x00\n\u00e9"


def test_a_large_standard_input(any_box: Box) -> None:
    data = bytes(range(256)) * (8 << 12)
    done = any_box.run(["sha256sum"], stdin=data)
    assert done.stdout.split()[0] == hashlib.sha256(data).hexdigest()


def test_a_standard_input_that_nobody_reads(any_box: Box) -> None:
    assert any_box.run(["true"], stdin=bytes(8 << 20)).ok


def test_no_standard_input_is_an_empty_one(any_box: Box) -> None:
    assert any_box.run(["cat"]).stdout == ""


def test_variables_and_folder_of_a_command(any_box: Box) -> None:
    done = any_box.run(["bash", "-c", "pwd; echo $DAY; echo $TZ"], variables={"DAY": "monday"}, cwd=any_box.path("tmp"))
    assert done.stdout.splitlines() == [any_box.path("tmp"), "monday", "UTC"]


def test_a_command_begins_in_the_work_folder(any_box: Box) -> None:
    assert any_box.run(["pwd"]).stdout.strip() == any_box.path("work")


def test_nothing_of_our_own_variables_is_passed_on(any_box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a secret")
    seen = any_box.run(["env"]).stdout + any_box.run(["env"], role="driver").stdout
    assert "a secret" not in seen
    assert "ANTHROPIC" not in seen


def test_no_descriptor_is_inherited_but_the_standard_ones(any_box: Box) -> None:
    listing = "print(json.dumps(sorted(int(n) for n in os.listdir('/proc/self/fd'))))"
    assert len([number for number in found(any_box, listing) if number > 2]) <= 1  # the listing's own


def test_files_that_were_put_are_collected_again(any_box: Box) -> None:
    files = {"load.sql": b"select 1", "a/b/c.bin": bytes(range(256)), "empty": b"", "a name, with \u00e9.txt": b"x"}
    any_box.put("work", files)
    assert any_box.collect() == files


def test_work_is_the_submissions_and_data_the_drivers(any_box: Box) -> None:
    any_box.put("work", {"mine": b"1"})
    any_box.put("data", {"theirs": b"2"})
    assert any_box.run(["bash", "-c", "echo more >> mine && cat mine"]).ok
    assert any_box.run(["cat", f"{any_box.path('data')}/theirs"]).stdout == "2"


def test_clear_empties_also_what_is_locked(any_box: Box) -> None:
    script = (
        "mkdir -p deep/er && touch deep/er/file .hidden && ln -s / link && chmod 0 deep/er deep; touch $TMPDIR/left"
    )
    assert any_box.run(["bash", "-c", script]).ok
    any_box.clear("work")
    assert any_box.run(["ls", "-A"]).stdout == ""
    assert any_box.run(["bash", "-c", "ls -A $TMPDIR"]).stdout == ""


def test_clear_ends_what_runs(any_box: Box) -> None:
    any_box.run(["true"])
    any_box.clear("work", "data", "driver")
    assert any_box.run(["true"]).ok
    assert any_box.run(["true"], role="driver").ok


ODD_FILES = """
import os, socket
os.mkdir('kept')
open('kept/file', 'w').write('kept')
open('outside', 'w').write('x')
os.symlink('/etc/passwd', 'link')
os.symlink('kept', 'link-to-folder')
os.symlink('nowhere', 'dangling')
os.link('outside', 'second-name')
os.mkfifo('pipe')
socket.socket(socket.AF_UNIX).bind('socket')
os.mkdir('__pycache__')
open('__pycache__/cached', 'w').close()
"""


def test_links_pipes_and_sockets_are_left_out(any_box: Box) -> None:
    assert python(any_box, ODD_FILES).ok
    assert any_box.collect() == {"kept/file": b"kept"}


def test_files_that_are_kept_to_oneself_are_collected(any_box: Box) -> None:
    script = "umask 077; mkdir private; echo secret > private/run.sh; chmod 700 private/run.sh; echo x > y"
    assert any_box.run(["bash", "-c", script]).ok
    assert any_box.collect() == {"private/run.sh": b"secret\n", "y": b"x\n"}
    assert any_box.run(["test", "-x", "private/run.sh"]).ok


def test_a_name_that_is_no_text_is_collected_as_it_is(any_box: Box) -> None:
    assert python(any_box, "open(b'caf\\xe9', 'w').close()").ok
    (name,) = any_box.collect()
    assert name.encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_too_many_files(any_box: Box) -> None:
    any_box.run(["bash", "-c", "touch {1..12}"])
    assert len(any_box.collect(limits=SubmissionLimits(files=12))) == 12
    with pytest.raises(SubmissionError, match="more than 11 files"):
        any_box.collect(limits=SubmissionLimits(files=11))


def test_what_no_glob_takes_counts_for_no_limit(any_box: Box) -> None:
    any_box.run(["bash", "-c", "mkdir -p lake/a && touch lake/{1..12} lake/a/{1..12} load.py lake.py notes.txt"])
    found = any_box.collect(limits=SubmissionLimits(files=2), globs=["*.py", "lake/**", "!lake/*"])
    assert set(found) == {"load.py", "lake.py"}


def test_too_many_bytes(any_box: Box) -> None:
    any_box.put("work", {"a": bytes(600), "b": bytes(600)})
    with pytest.raises(SubmissionError, match="1000 bytes"):
        any_box.collect(limits=SubmissionLimits(total_bytes=1000))


def test_too_big_a_file_is_left_out(any_box: Box) -> None:
    any_box.put("work", {"big": bytes(2000), "small": b"s"})
    assert any_box.collect(limits=SubmissionLimits(file_bytes=1000)) == {"small": b"s"}


def test_a_sparse_file_is_not_read(any_box: Box) -> None:
    any_box.run(["truncate", "--size", "20M", "sparse"])
    assert any_box.collect() == {}


def test_a_call_returns_what_the_function_did(any_box: Box) -> None:
    done = any_box.call("json", "loads", {"s": '{"a": [1, null]}'})
    assert done.ok
    assert done.result == {"a": [1, None]}


def test_a_call_that_raises_says_so(any_box: Box) -> None:
    done = any_box.call("json", "loads", {"s": "no JSON"})
    assert done.exit_code == 1
    assert done.result is None
    assert "JSONDecodeError" in done.stderr


@pytest.mark.parametrize("claim", ["b'[' * 100_000", "b'{'", "b'9' * 10_000", r"b'\xff'", "b''"])
def test_a_result_that_cannot_be_read_is_none(any_box: Box, claim: str) -> None:
    """A submission's code may write to the results' pipe itself, and end the process."""
    forge = f"import os; os.write(3, {claim}); os._exit(0)"
    done = any_box.call("timeit", "timeit", {"stmt": forge, "number": 1})
    assert done.exit_code == 0
    assert done.result is None
    assert any_box.run(["true"]).ok


def test_a_driver_that_is_lost_is_the_worlds_failure(any_box: Box) -> None:
    with pytest.raises(InfrastructureError) as caught:
        python(any_box, "import os; os.kill(os.getppid(), 9)", role="driver")
    assert caught.value.cause == "sandbox-lost"
    assert any_box.run(["true"], role="driver").ok


def test_a_trusted_request_that_fails_says_which(any_box: Box) -> None:
    with pytest.raises(InfrastructureError, match="put failed in the box") as caught:
        any_box.put("data", {"file": b"", "file/below": b""})
    assert caught.value.cause == "sandbox-error"


def test_the_clock_zone_and_hash_seed_are_pinned(any_box: Box) -> None:
    facts = "import time; print(json.dumps([time.tzname[0], os.environ['PYTHONHASHSEED'], os.environ['LANG']]))"
    assert found(any_box, facts) == ["UTC", "0", "C.UTF-8"]


def test_a_shell_of_the_environment_finds_its_python(any_box: Box) -> None:
    done = any_box.run(["bash", "-c", "python -c 'import duckdb, psycopg2, sys; print(sys.prefix)'"])
    assert done.ok, done.explain()
    assert any_box.space.interpreter.startswith(done.stdout.strip())


def test_what_a_stranger_names_like_our_modules_is_not_imported(any_box: Box) -> None:
    """A call's modules come from the runtime folder, not from where the submission works."""
    any_box.put("work", {"json.py": b"raise SystemExit(9)", "tarfile.py": b"raise SystemExit(9)"})
    done = any_box.call("json", "loads", {"s": "1"})
    assert done.result == 1
    assert json.loads(any_box.run(["echo", "1"]).stdout) == 1
