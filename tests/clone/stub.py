"""A stub server that speaks the API, with its own district, and with answers that fail on purpose."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "7f76343d50b9e956138169e8cbb4630bb887b18a"
DISTRICT = "5d0a9e5d0958b300014e49d2"


def id_of(number: int) -> str:
    return f"5e000000{number:016x}"


@dataclass
class Reply:
    """An answer. `is_cut`: the connection ends in the middle of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False


class Stub:
    """The server's state.

    `answer` may take a request over: it gets the number of earlier requests, and the path.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.tokens: set[str] = set()
        self.answer: Callable[[int, str], Reply | None] = lambda _, __: None
        self.address = ""
        self.limit_max = 10_000
        self.links_to = ""
        self.zips = False
        self.courses_of: dict[str, list[str]] = {}
        self.records: dict[str, list[str]] = {
            kind: []
            for kind in (
                "districts",
                "schools",
                "terms",
                "courses",
                "resources",
                "users",
                "sections",
                "events",
            )
        }
        self.put(
            "districts", {"id": DISTRICT, "name": "Springfield", "last_sync": "2026-11-01T06:00:00.000Z"}
        )

    def put(self, kind: str, *records: dict[str, Any] | str) -> None:
        """Add records, or replace those with the same id; a text is sent unchanged."""
        kept = {json.loads(text)["id"]: text for text in self.records[kind]}
        for record in records:
            text = record if isinstance(record, str) else json.dumps(record)
            kept[json.loads(text)["id"]] = text
        self.records[kind] = [kept[id_] for id_ in sorted(kept)]

    def reply(self, target: str) -> Reply:
        number = len(self.requests)
        self.requests.append(target)
        told = self.answer(number, target)
        if told is not None:
            return told
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        _, _, kind, *rest = parts.path.split("/")
        if rest:
            wanted = self.courses_of.get(rest[0], [])
            return self._page(
                parts.path,
                query,
                [text for text in self.records["courses"] if json.loads(text)["id"] in wanted],
            )
        if query.get("count") == "true":
            return _json(f'{{"count":{len(self.records[kind])}}}')
        return self._page(parts.path, query, self.records[kind])

    def _page(self, path: str, query: dict[str, str], texts: list[str]) -> Reply:
        limit = int(query.get("limit", 100))
        if limit > self.limit_max:
            return _json('{"message":"Request entity too large"}', 413)
        after = query.get("starting_after", "")
        left = [text for text in texts if json.loads(text)["id"] > after]
        page = left[-limit:] if query.get("ending_before") == "last" else left[:limit]
        links = [{"rel": "self", "uri": path}]
        if len(left) > limit:
            last = json.loads(page[-1])["id"]
            links.append({"rel": "next", "uri": f"{self.links_to}{path}?limit={limit}&starting_after={last}"})
        elements = ",".join(f'{{"data":{text},"uri":"{path}/x"}}' for text in page)
        reply = _json(f'{{"data":[{elements}],"links":{json.dumps(links)}}}')
        if self.zips:
            reply.body = gzip.compress(reply.body)
            reply.headers["content-encoding"] = "gzip"
        return reply


def _json(text: str, status: int = 200) -> Reply:
    return Reply(status, text.encode(), {"content-type": "application/json; charset=utf-8"})


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: two small pieces would wait for each other

        def do_GET(self) -> None:
            stub.tokens.add(self.headers.get("authorization", ""))
            reply = stub.reply(self.path)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body)
            self.close_connection = reply.is_cut

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
            """Log nothing: the tests look at `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    stub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def springfield(students: int = 6) -> Stub:
    """A small district: one school, a term, two courses, a resource, a teacher, students, a contact, one
    section."""
    stub = Stub()
    school, term, course, other, resource, teacher, section = (
        id_of(number) for number in (1, 2, 3, 4, 5, 10, 9_000)
    )
    pupils = [id_of(1_000 + number) for number in range(students)]
    dates = {"created": "2026-08-01T00:00:00.000Z", "last_modified": "2026-08-01T00:00:00.000Z"}
    stub.put("schools", {"id": school, "district": DISTRICT, "name": "Springfield Elementary", **dates})
    stub.put("terms", {"id": term, "district": DISTRICT, "name": "Fall", "start_date": "2026-08-01"})
    for id_ in (course, other):
        stub.put("courses", {"id": id_, "district": DISTRICT, "name": f"Course {id_[-1]}"})
    stub.put("resources", {"id": resource, "district": DISTRICT, "title": "Atlas", "roles": ["student"]})
    stub.courses_of[resource] = [course, other]
    role = {"school": school, "schools": [school]}
    stub.put(
        "users",
        {"id": teacher, "name": {"first": "Edna", "last": "Krabappel"}, "roles": {"teacher": role}, **dates},
    )
    for id_ in pupils:
        stub.put(
            "users",
            {"id": id_, "name": {"first": "Pupil", "last": id_[-3:]}, "roles": {"student": role}, **dates},
        )
    related = [{"student": pupils[0], "relationship": "Parent"}]
    stub.put(
        "users",
        {
            "id": id_of(5_000),
            "name": {"last": "Homer"},
            "roles": {"contact": {"student_relationships": related}},
        },
    )
    taught = {"school": school, "course": course, "term_id": term, "teachers": [teacher], "students": pupils}
    stub.put("sections", {"id": section, "name": "4th grade", **taught, **dates})
    return stub
