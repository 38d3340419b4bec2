"""Whether worlds are the same everywhere: the digests that a task's worlds had when they were recorded.

``worlds.toml`` beside a task's ``world.py`` names them, a seed each. Grades made on two machines can be compared only
where both build the same worlds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from harness.errors import UsageError
from harness.task import HIDDEN_SEEDS, VISIBLE_SEED, Task, read_toml
from results.durable import write_whole

SEEDS = (VISIBLE_SEED, *HIDDEN_SEEDS)
ADDRESS = re.compile(r" at 0x[0-9a-f]+>")


def digest(world: object) -> str:
    """SHA-256 over everything in a world, hex: fields, mappings and sequences in their order, sets sorted.

    Raises:
        UsageError: a part of it has no lasting form (an object that is shown by its address).
    """
    whole = hashlib.sha256()
    for part in parts(world):
        whole.update(b"%d:%s" % (len(part), part))
    return whole.hexdigest()


def parts(value: object) -> Iterator[bytes]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__.encode()
        for field in dataclasses.fields(value):
            yield field.name.encode()
            yield from parts(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield b"mapping %d" % len(value)
        for key, inner in value.items():
            yield from parts(key)
            yield from parts(inner)
    elif isinstance(value, Set):
        yield b"set %d" % len(value)
        yield from sorted(b"".join(parts(item)) for item in value)
    elif isinstance(value, (list, tuple)):
        yield b"%s %d" % (type(value).__name__.encode(), len(value))
        for item in value:
            yield from parts(item)
    else:
        text = f"{type(value).__name__} {value!r}"
        if ADDRESS.search(text):
            raise UsageError(f"a world holds {text[:100]}, which is another one in every process", "use plain values")
        yield text.encode(errors="surrogateescape")


def digests(task: Task) -> dict[str, str]:
    """The digest of the task's world for each seed that is used, as they are built here."""
    return {str(seed): digest(task.world.build(seed)) for seed in SEEDS}


def record_file(task: Task) -> Path:
    return task.folder / "worlds.toml"


def recorded(task: Task) -> dict[str, str]:
    """The recorded digests by seed; none if there is no record."""
    return (
        {str(seed): str(found) for seed, found in read_toml(record_file(task)).items()}
        if record_file(task).is_file()
        else {}
    )


def record(task: Task) -> None:
    """Write down what the worlds are here and now."""
    lines = [f"# The task's worlds by seed (`bench doctor --record-worlds`). canary: {task.manifest.canary}"]
    lines += [f'{seed} = "{found}"' for seed, found in digests(task).items()]
    write_whole(record_file(task), ("\n".join(lines) + "\n").encode())


def differing(task: Task) -> list[str]:
    """The seeds whose world is another one here than was recorded; those without a record among them."""
    known = recorded(task)
    return [seed for seed, found in digests(task).items() if known.get(seed) != found]
