"""Objects of S3, fetched and stored; no part of Glue's own names."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import boto3

FOLDER = tempfile.TemporaryDirectory(prefix="glue-")


@dataclass(frozen=True)
class Object:
    """``version`` is another whenever the object was written again."""

    bucket: str
    key: str
    version: str

    @property
    def uri(self):
        return f"s3://{self.bucket}/{self.key}"


def client():
    return boto3.client("s3")


def place(uri):
    """Bucket and key of a path."""
    match = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", uri)
    if not match:
        raise ValueError(f"{uri!r} is no path of S3: s3://bucket/folder/")
    return match[1], match[2]


def listed(uri, recurse=True):
    """The objects below a path, but for names that are no data; without ``recurse`` those of the folder alone."""
    bucket, key = place(uri)
    # A path is a folder or an object, never the beginning of a folder's name.
    prefix = f"{key.rstrip('/')}/" if key else ""
    found = []
    for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key.rstrip("/")):
        for entry in page.get("Contents", ()):
            inside = entry["Key"].removeprefix(prefix)
            if entry["Key"] != key and not entry["Key"].startswith(prefix):
                continue
            no_data = any(part.startswith(("_", ".")) and "=" not in part for part in inside.split("/"))
            if not entry["Size"] or no_data or ("/" in inside and not recurse):
                continue
            found.append(Object(bucket, entry["Key"], f"{entry['LastModified'].timestamp():.0f} {entry['ETag']}"))
    return found


def content(found):
    return client().get_object(Bucket=found.bucket, Key=found.key)["Body"].read()


def local_folder():
    """A new empty folder of this process's."""
    return Path(tempfile.mkdtemp(dir=FOLDER.name))


def store(folder, uri, name):
    """The files that Spark wrote to a folder, as new objects below a path; ``name`` is put before each file's own."""
    bucket, key = place(uri)
    prefix = f"{key.rstrip('/')}/" if key else ""
    for path in sorted(folder.rglob("part-*")):
        inside = path.relative_to(folder)
        target = prefix + str(inside.with_name(f"{name}-{inside.name}"))
        client().put_object(Bucket=bucket, Key=target, Body=path.read_bytes())


def remove(objects):
    for found in objects:
        client().delete_object(Bucket=found.bucket, Key=found.key)
