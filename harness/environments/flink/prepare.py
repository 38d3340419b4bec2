"""Completes Flink where it is installed: ``prepare.py FOLDER`` (run once, when the environment is built).

FOLDER/java    link to the Java that runs it
pyflink/lib    also holds what jars.lock names, from Maven Central
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

SUITABLE = (17, 21)  # the Javas that this Flink is tested with, the preferred one first
PLACES = (os.environ.get("JAVA_HOME", ""), "/usr/lib/jvm/*", "/usr")
LOCK = Path(__file__).parent / "jars.lock"
REPOSITORY = os.environ.get("MAVEN_REPOSITORY", "https://repo1.maven.org/maven2")


def java_home() -> Path:
    """A Java that runs this Flink.

    Raises:
        SystemExit: none is here.
    """
    found: dict[int, Path] = {}
    for pattern in filter(None, PLACES):
        for place in sorted(Path("/").glob(pattern.lstrip("/"))):
            if (place / "bin" / "java").is_file():
                said = subprocess.run([place / "bin" / "java", "-version"], capture_output=True, text=True, check=False)
                number = re.search(r'version "(\d+)', said.stderr)
                if number and int(number[1]) in SUITABLE:
                    found.setdefault(int(number[1]), (place / "bin" / "java").resolve().parent.parent)
    for version in SUITABLE:
        if version in found:
            return found[version]
    wanted = " or ".join(map(str, SUITABLE))
    sys.exit(f"no Java {wanted} is here: install one (on Debian: default-jre-headless), or let JAVA_HOME name one")


def fetch_jars(folder: Path) -> None:
    for line in LOCK.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            coordinates, digest = line.split()
            group, artifact, version = coordinates.split(":")
            name = f"{artifact}-{version}.jar"
            address = f"{REPOSITORY}/{group.replace('.', '/')}/{artifact}/{version}/{name}"
            with urllib.request.urlopen(address, timeout=120) as reply:  # noqa: S310 - https
                content = reply.read()
            if hashlib.sha256(content).hexdigest() != digest:
                sys.exit(f"{address} is not what jars.lock names: its SHA-256 is {hashlib.sha256(content).hexdigest()}")
            (folder / name).write_bytes(content)


def main(folder: Path) -> None:
    java = java_home()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "java").symlink_to(java)
    (packages,) = Path(sys.prefix, "lib").glob("python*/site-packages")
    fetch_jars(packages / "pyflink" / "lib")


if __name__ == "__main__":
    if sys.argv[1:] == ["--try"]:  # only whether this machine has what it takes
        java_home()
    else:
        main(Path(sys.argv[1]))
