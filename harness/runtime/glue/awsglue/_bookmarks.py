"""What a job has read before, by ``transformation_ctx``; kept in S3, where Glue keeps it inside the service."""

import json

import boto3

from awsglue import _storage

READ, WRITE = ("job-bookmark-enable", "job-bookmark-pause"), ("job-bookmark-enable",)


class Bookmarks:
    """Off until a job is initialised with bookmarks on."""

    def __init__(self):
        self.job, self.option = None, "job-bookmark-disable"
        self.seen, self.pending = {}, {}

    def begin(self, job, option):
        self.job, self.option = job, option or "job-bookmark-disable"
        self.seen, self.pending = {}, {}
        if self.option in READ:
            bucket, key = self.place()
            try:
                self.seen = json.loads(_storage.client().get_object(Bucket=bucket, Key=key)["Body"].read())
            except (_storage.client().exceptions.NoSuchKey, _storage.client().exceptions.NoSuchBucket):
                self.seen = {}

    def new(self, context, objects):
        """Those of the objects that no committed run has read under this context; they count as read once committed."""
        if not context or self.option not in READ:
            return objects
        known = self.seen.get(context, {})
        found = [one for one in objects if known.get(one.uri) != one.version]
        self.pending.setdefault(context, {}).update({one.uri: one.version for one in found})
        return found

    def commit(self):
        if self.option in WRITE:
            for context, objects in self.pending.items():
                self.seen.setdefault(context, {}).update(objects)
            bucket, key = self.place()
            region = boto3.session.Session().region_name
            try:
                _storage.client().create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
            except _storage.client().exceptions.BucketAlreadyOwnedByYou:
                pass
            _storage.client().put_object(Bucket=bucket, Key=key, Body=json.dumps(self.seen).encode())
        self.pending = {}

    def place(self):
        account = boto3.client("sts").get_caller_identity()["Account"]
        region = boto3.session.Session().region_name
        return f"aws-glue-assets-{account}-{region}", f"bookmarks/{self.job}.json"


bookmarks = Bookmarks()
