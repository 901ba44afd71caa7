"""Keep a local copy of a district true: read everything once, then apply the events.

    python3 local_copy.py copy.json              # once: makes the copy, or brings it up to date
    python3 local_copy.py copy.json --every 60   # and again each 60 seconds, until Ctrl+C

ROLLBOOK_URL and ROLLBOOK_TOKEN name the server and the district token; without them it is the demo's. The program
needs nothing but Python.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BASE = os.environ.get("ROLLBOOK_URL", "http://127.0.0.1:8400")
TOKEN = os.environ.get("ROLLBOOK_TOKEN", "TEST_TOKEN")
KINDS = ("districts", "schools", "terms", "courses", "resources", "users", "sections")
TRIES_MAX = 5
# Events are kept for 30 days. A copy that has not asked for 25 days is read anew, to be safe.
EVENTS_SECONDS = 25 * 24 * 3600

Record = dict[str, Any]


def get(path: str) -> Any:
    """The answer to a GET. Waits when the server says that the window of requests is used up, and tries again after a
    bad minute of the server."""
    request = urllib.request.Request(BASE + path, headers={"Authorization": f"Bearer {TOKEN}"})
    for attempt in range(TRIES_MAX):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if attempt + 1 == TRIES_MAX or error.code not in (429, 500, 502, 503, 504):
                raise
            reset = float(error.headers.get("X-RateLimit-Reset") or 0) - time.time()
        except (urllib.error.URLError, ConnectionError):
            if attempt + 1 == TRIES_MAX:
                raise
            reset = 0
        time.sleep(min(max(reset, 0.5 * 2**attempt), 120))
    raise AssertionError("the last attempt returns or raises")


def pages(path: str) -> Iterator[Record]:
    """Every record of a list: follow `next` until there is none."""
    while path:
        page = get(path)
        yield from (element["data"] for element in page["data"])
        path = next((link["uri"] for link in page["links"] if link["rel"] == "next"), "")


def tidy(kind: str, record: Record) -> Record:
    """The record without what only one of the two ways shows: a list has a student's `email` twice, and an event has
    three keys of version 2 in a contact's role."""
    roles = record["roles"] if kind == "users" else {}
    for role, extra in (("student", ("email",)), ("contact", ("relationship", "type", "students"))):
        for name in extra:
            roles.get(role, {}).pop(name, None)
    return record


def read_everything() -> dict[str, Any]:
    """A new copy. The last event is noted first: what changes during the reading comes again as an event."""
    newest = get("/v3.0/events?ending_before=last&limit=1")["data"]
    records = {
        kind: {record["id"]: tidy(kind, record) for record in pages(f"/v3.0/{kind}?limit=10000")}
        for kind in KINDS
    }
    return {"last_event": newest[0]["data"]["id"] if newest else "", "records": records}


def apply_events(copy: dict[str, Any]) -> int:
    """Bring the copy up to date; gives the number of events. An event that comes twice changes nothing."""
    after = f"&starting_after={copy['last_event']}" if copy["last_event"] else ""
    count = 0
    for event in pages(f"/v3.0/events?limit=1000{after}"):
        kind, verb = event["type"].split(".")
        record = event["data"]["object"]
        if verb == "deleted":
            copy["records"][kind].pop(record["id"], None)
        else:
            copy["records"][kind][record["id"]] = tidy(kind, record)
        copy["last_event"] = event["id"]
        count += 1
    return count


def update(file: Path) -> str:
    """Make the copy in a file, or bring it up to date. A program that is killed leaves the copy before, whole."""
    copy = json.loads(file.read_text("utf-8")) if file.exists() else None
    now = time.time()
    if copy is None or now - copy["asked"] > EVENTS_SECONDS:
        copy = read_everything()
        said = f"read {sum(map(len, copy['records'].values()))} records"
    else:
        said = f"applied {apply_events(copy)} events"
    copy["asked"] = now
    os.umask(0o077)  # the copy holds students: no other user of the machine may read it
    beside = file.with_name(f"{file.name}.new")
    beside.write_text(json.dumps(copy), "utf-8")
    beside.replace(file)
    return said


def main() -> None:
    options = argparse.ArgumentParser(description="Keep a local copy of a district true.")
    options.add_argument("file", type=Path, help="where the copy is kept, as JSON")
    options.add_argument("--every", type=float, default=0, metavar="SECONDS", help="go on, with this pause")
    given = options.parse_args()
    while True:
        try:
            print(update(given.file), flush=True)
        except urllib.error.URLError as error:
            sys.exit(f"{BASE} does not answer as it should: {error}")
        if not given.every:
            return
        time.sleep(given.every)


if __name__ == "__main__":
    main()
