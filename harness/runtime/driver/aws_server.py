"""AWS for one box: moto's server, with shards as Kinesis has them, behind a door that refuses what moto only pretends.

``aws_server.py SOCKET REGION``: speaks HTTP/1.1 on a UNIX socket. Lines of JSON on standard input steer it, each
answered by a line:

    {"op": "call", "service": …, "method": …, "arguments": {…}}   a call of the grader's, which no fault disturbs
    {"op": "account", "endpoint": …, "credentials": {…}}          calls go to an endpoint elsewhere from now on
    {"op": "reset"}                                               nothing is stored, no fault is planned
    {"op": "fetched"}                                             the objects of S3 that the submission has read so far
    {"op": "plan", "partly_refused": n, …}                        what befalls the submission's next calls (``Plan``)

Bytes travel as ``{"$bytes": <base64>}``.
"""

from __future__ import annotations

import base64
import datetime
import io
import json
import os
import re
import socket
import sys
import threading
import urllib.parse
from dataclasses import dataclass, field

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # isolated mode leaves it out

# A submission's wheel is no place to look things up, and there is nothing to ask: no network.
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "MOTO_ALLOW_NONEXISTENT_REGION": "false"}

import boto3
import botocore.config
import botocore.exceptions
import kinesis_shards
import moto
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import ThreadedWSGIServer

MOST_FETCHED = 50_000
MOST_BODY, MOST_UPLOADED, MOST_ANSWER, MOST_CONNECTIONS = 64 << 20, 256 << 20, 16 << 20, 64
# What moto does as AWS does. The rest it doesn't know, or answers without doing it.
CATALOG = re.compile(
    r"(Create|Get|Update|Delete|BatchGet|BatchCreate|BatchDelete|BatchUpdate|Search)(Database|Table|Partition)s?"
    r"|(Get|Delete|BatchDelete)TableVersions?|GetPartitionIndexes|(Tag|Untag)Resource|GetTags"
)
STREAMS = re.compile(
    r"(Create|Delete|List|Describe)Streams?(Summary)?|ListShards|GetShardIterator|GetRecords|PutRecords?|SplitShard"
    r"|MergeShards|UpdateShardCount|(Increase|Decrease)StreamRetentionPeriod|(Add|Remove|List)Tags(To|From|For)Stream"
    r"|DescribeLimits"
)
MADE = {"create_stream": "kinesis", "create_bucket": "s3", "create_database": "glue"}
DONE = {"s3": None, "sts": None, "glue": CATALOG, "kinesis": STREAMS}


@dataclass
class Plan:
    """What befalls the submission's next calls; each number counts down to nothing.

    partly_refused: so many calls of PutRecords have every other record refused, of one record the one
    empty_reads:    so many calls of GetRecords are answered without records, though there may be some
    throttled:      operation -> so many calls of it are refused
    denied_puts:    bucket -> so many objects that are to be stored there are refused, as to somebody without the right
    after_reads:    once so many calls of GetRecords have been answered, ``then`` happens: calls of the grader's
    """

    partly_refused: int = 0
    empty_reads: int = 0
    throttled: dict = field(default_factory=dict)
    denied_puts: dict = field(default_factory=dict)
    after_reads: int = 0
    then: list = field(default_factory=list)


class Refused(Exception):
    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class Server:
    """One at a time: moto's backends aren't made for threads."""

    def __init__(self, region: str) -> None:
        self.lock = threading.RLock()
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.plan = Plan()
        self.uploaded = 0
        self.fetched: list[str] = []
        self.clients: dict = {}
        self.region = region
        kinesis_shards.install(lambda: self.plan)
        # The grader's own calls reach the same backends, by no network.
        self.mock = moto.mock_aws()
        self.mock.start(reset=False)
        self.account: dict = {"aws_access_key_id": "grader", "aws_secret_access_key": "grader"}
        self.made: list[tuple[str, str]] = []

    # -- the submission's calls ------------------------------------------------------------------------------------

    def __call__(self, environ: dict, start_response) -> list[bytes]:
        # Where moto is told to be somebody else, or something else.
        for name in [name for name in environ if name.startswith("HTTP_X_MOTO")]:
            del environ[name]
        service, operation = called(environ)
        try:
            body = self.received(environ)
            environ["wsgi.input"] = io.BytesIO(body)
            with self.lock:
                self.admit(service, operation, environ)
                answer = list(self.moto(environ, start_response))
                if operation == "GetRecords" and self.plan.after_reads:
                    self.plan.after_reads -= 1
                    if not self.plan.after_reads:
                        for call in self.plan.then:
                            self.call(**call)
            return answer
        except Refused as refused:
            return refusal(service, refused, start_response)

    def received(self, environ: dict) -> bytes:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if size > MOST_BODY or environ.get("HTTP_TRANSFER_ENCODING") or self.uploaded + size > MOST_UPLOADED:
            raise Refused("ServiceUnavailable", "there is no room for that here", 503)
        self.uploaded += size
        return environ["wsgi.input"].read(size)

    def admit(self, service: str, operation: str, environ: dict) -> None:
        path = environ.get("PATH_INFO", "")
        if service not in DONE or path.startswith(("/moto-api", "/latest/")):
            raise Refused(
                "UnsupportedOperation", f"only Kinesis, S3, STS and the Glue catalog are here, not {service!r}"
            )
        known = DONE[service]
        if known and not known.fullmatch(operation):
            raise Refused("UnsupportedOperation", f"{service}: {operation or 'this call'} is not available here")
        if self.plan.throttled.get(operation):
            self.plan.throttled[operation] -= 1
            raise Refused("ProvisionedThroughputExceededException", "Rate exceeded")
        if service == "s3":
            bucket, _, key = path.lstrip("/").partition("/")
            method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
            if method in ("PUT", "POST") and key and self.plan.denied_puts.get(bucket):
                self.plan.denied_puts[bucket] -= 1
                raise Refused("AccessDenied", "Access Denied", 403)
            if method == "GET" and key and "uploadId" not in query and len(self.fetched) < MOST_FETCHED:
                self.fetched.append(f"{bucket}/{key}")

    # -- the grader's ----------------------------------------------------------------------------------------------

    def steer(self, op: str, **request) -> dict:
        return getattr(self, f"do_{op}")(**request) or {}

    def do_call(self, service: str, method: str, arguments: dict) -> dict:
        try:
            return {"answer": self.call(service, method, arguments)}
        except botocore.exceptions.ClientError as error:
            return {"refused": f"{service} {method}: {error}"}

    def do_plan(self, **plan) -> None:
        with self.lock:
            self.plan = Plan(**plan)

    def do_fetched(self) -> dict:
        with self.lock:
            return {"fetched": list(self.fetched)}

    def call(self, service: str, method: str, arguments: dict) -> dict:
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                region_name=self.region,
                config=botocore.config.Config(retries={"max_attempts": 0}),
                **self.account,
            )
        client = self.clients[service]
        if "endpoint_url" in self.account:
            self.note(client, method, arguments)
        with self.lock, kinesis_shards.undisturbed():
            if client.can_paginate(method) and method.startswith("list_objects"):
                return dict(client.get_paginator(method).paginate(**arguments).build_full_result())
            answer = getattr(client, method)(**arguments)
            answer.pop("ResponseMetadata", None)
            if hasattr(answer.get("Body"), "read"):
                answer["Body"] = answer["Body"].read()
            return answer

    def do_account(self, endpoint: str, credentials: dict) -> dict | None:
        url = urllib.parse.urlsplit(endpoint)
        try:
            socket.create_connection((url.hostname, url.port or (443 if url.scheme == "https" else 80)), 10).close()
        except OSError as error:
            return {"unreachable": str(error)}
        self.mock.stop()
        self.account = {"endpoint_url": endpoint, **credentials}
        return None

    def note(self, client, method: str, arguments: dict) -> None:
        """Remember what is made in somebody's account, and wait until a stream there is ready for the call."""
        if method in MADE:
            name = arguments.get("StreamName") or arguments.get("Bucket") or arguments["DatabaseInput"]["Name"]
            self.made.append((method, name))
        elif "StreamName" in arguments:
            client.get_waiter("stream_exists").wait(StreamName=arguments["StreamName"])

    def remove_made(self) -> None:
        """Of an account, only what was made through here."""
        for method, name in self.made:
            client = self.clients[MADE[method]]
            if method == "create_stream":
                client.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
                client.get_waiter("stream_not_exists").wait(StreamName=name)
            elif method == "create_database":
                client.delete_database(Name=name)
            else:
                bucket = boto3.resource("s3", region_name=self.region, **self.account).Bucket(name)
                bucket.objects.all().delete()
                bucket.delete()
        self.made = []

    def do_reset(self) -> None:
        if "endpoint_url" in self.account:
            self.remove_made()
            return
        with self.lock:
            BackendDict.reset()
            self.plan, self.uploaded, self.fetched = Plan(), 0, []


class BoundedServer(ThreadedWSGIServer):
    daemon_threads = True

    def __init__(self, path: str, server: Server) -> None:
        self.places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.chmod(path, 0o777)
            listener.listen(64)
            super().__init__(f"unix://{path}", 0, server, Handler, fd=listener.fileno())

    def process_request(self, request, address) -> None:
        self.places.acquire()
        super().process_request(request, address)

    def process_request_thread(self, request, address) -> None:
        try:
            super().process_request_thread(request, address)
        finally:
            self.places.release()


class Handler(MotoRequestHandler):
    timeout = 60

    def log(self, *arguments) -> None:
        pass


def called(environ: dict) -> tuple[str, str]:
    """The service that a request is signed for, and the operation where its protocol names one."""
    scope = re.search(r"Credential=[^,\s]*/([a-z0-9-]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    presigned = re.search(r"X-Amz-Credential=[^&]*%2F([a-z0-9-]+)%2Faws4_request", environ.get("QUERY_STRING", ""))
    found = scope or presigned
    return (found[1] if found else "an unsigned request"), environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]


def refusal(service: str, refused: Refused, start_response) -> list[bytes]:
    if service in ("kinesis", "glue"):
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": refused.code, "message": str(refused)})
    else:
        text = str(refused).replace("&", "&amp;").replace("<", "&lt;")
        kind, body = "application/xml", f"<Error><Code>{refused.code}</Code><Message>{text}</Message></Error>"
    start_response(f"{refused.status} Refused", [("Content-Type", kind), ("Content-Length", str(len(body.encode())))])
    return [body.encode()]


def encoded(value: object) -> object:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in an answer")


def decoded(value: dict) -> object:
    return base64.b64decode(value["$bytes"]) if value.keys() == {"$bytes"} else value


def main() -> None:
    path, region = sys.argv[1:]
    server = Server(region)
    threading.Thread(target=BoundedServer(path, server).serve_forever, args=(0.1,), daemon=True).start()
    for line in sys.stdin:
        request = json.loads(line, object_hook=decoded)
        try:
            text = json.dumps(server.steer(**request), default=encoded)
            if len(text) > MOST_ANSWER:
                text = json.dumps({"refused": f"the answer is more than {MOST_ANSWER} bytes"})
        except Exception as error:
            text = json.dumps({"error": f"{type(error).__name__}: {error}"})
        print(text, flush=True)


if __name__ == "__main__":
    main()
