"""The console on a large district: what each page costs the server and how large its first view is; and the search."""

from __future__ import annotations

import csv
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import material, servers, tables
from bench.processes import ROLLBOOK
from bench.servers import Server
from bench.tables import Target, number
from rollbook.store.engine.database import open_database
from rollbook.store.operators import operator_accounts
from rollbook.store.operators.operator_accounts import Link

STUDENTS = 40_000  # with contacts and employees about 100,000 users
MILLION = 400_000  # about a million people
PAGE_TIME, PREVIEW_TIME = Target("at most", 100, " ms"), Target("at most", 1_000, " ms")
FIRST_VIEW, SCRIPTS = Target("at most", 60, " KB"), Target("at most", 30, " KB")
COOKIE = "rollbook-console-session"
RULES = (
    '{"rules": [{"kind": "student", "where": [["grade", "equals any of", "3", "4"]], "with": ["sections"]}]}'
)
# The pages of a district, below its own address. RUN, PERSON and so on are filled in.
PAGES = (
    *(
        "",
        "/runs",
        "/runs/1",
        "/runs/RUN",
        "/runs/RUN/problems?what=all",
        "/runs/RUN/applications",
        "/upload",
    ),
    *("/files", "/people", "/people?role=student&grade=3", "/people?only=in+no+section", "/people/PERSON"),
    *(
        "/schools",
        "/schools/SCHOOL",
        "/sections",
        "/sections?only=no+students",
        "/sections/SECTION",
        "/charts",
    ),
    *("/ids", "/applications", "/applications/CLIENT", "/explain?person=PERSON&application=Measuring"),
    *("/limits", "/schedule", "/sign-in", "/badges", "/team", "/audit"),
)
WIDE = ("/console", "/console/search?q=SEARCH", "/console/audit", "/console/server", "/console/applications")
_PARTS = re.compile(rb'(?:href|src)="(/[^"]+\.(?:css|js)(?:\?[^"]*)?)"')
_FONTS = re.compile(rb'url\("?([^")]+\.woff2[^")]*)')


@dataclass(frozen=True, slots=True)
class Cost:
    """What one page costs: CPU and wall-clock milliseconds of a request, and the bytes as they are sent."""

    cpu_ms: float
    wall_ms: float
    sent: int


def measure(repeats: int, students: int) -> None:
    """Print the table of all pages."""
    files = material.generated(students)
    less = material.variant(files, "without-a-grade", _without_a_grade)
    with _console(files, less) as (server, client):
        asks = _addresses(client)
        costs = {path: _cost(server, client, path, repeats) for path in asks}
        first = {path: _first_view(client, path) for path in asks}
        preview = _preview(server, client, next(path for path in asks if "/applications/" in path), repeats)
    rows = [
        (
            re.sub(r"/console/d/[^/?]+", "…", path).replace("|", ""),
            *(number(costs[path].cpu_ms), number(costs[path].wall_ms)),
            *(number(each / 1024) for each in (costs[path].sent, *first[path])),
            *tables.verdict(costs[path].cpu_ms, PAGE_TIME),
        )
        for path in asks
    ]
    rows.append(
        (
            "live preview of a share",
            number(preview.cpu_ms),
            number(preview.wall_ms),
            number(preview.sent / 1024),
            "",
            "",
            *tables.verdict(preview.cpu_ms, PREVIEW_TIME),
        )
    )
    tables.show(
        f"Pages of the console at {students:,} students",
        ("page", "CPU ms", "ms", "HTML, KB", "first view, KB", "scripts, KB", "target of CPU", ""),
        rows,
    )
    largest = max(view for view, _ in first.values()) / 1024
    script = max(scripts for _, scripts in first.values()) / 1024
    tables.show(
        "The largest first view of a page, compressed",
        ("part", "KB", "target", ""),
        [
            ("all", number(largest), *tables.verdict(largest, FIRST_VIEW)),
            ("scripts", number(script), *tables.verdict(script, SCRIPTS)),
        ],
    )


def measure_search(repeats: int, students: int) -> None:
    """Print the table of the search in one large district."""
    files = material.generated(students)
    with (files / "students.csv").open(newline="", encoding="utf-8") as lines:
        person = next(csv.DictReader(lines))
    typed = {
        "one letter": person["Last_name"][:1],
        "a last name": person["Last_name"],
        "beginnings of two words": f"{person['First_name'][:3]} {person['Last_name'][:3]}",
        "a SIS id": person["Student_id"],
        "nobody": "zzzzzzzz",
    }
    with _console(files, None) as (server, client):
        client.get(
            "/console/search", params={"q": "a"}
        )  # the index follows a large first sync at the first search
        found = {
            title: _cost(server, client, str(httpx.URL("/console/search", params={"q": text})), repeats)
            for title, text in typed.items()
        }
    tables.show(
        f"The search among the people of {students:,} students",
        ("typed", "CPU ms", "ms", "target of CPU", ""),
        [
            (title, number(cost.cpu_ms), number(cost.wall_ms), *tables.verdict(cost.cpu_ms, PAGE_TIME))
            for title, cost in found.items()
        ],
    )


@contextmanager
def _console(files: Path, less: Path | None) -> Iterator[tuple[Server, httpx.Client]]:
    """A server with a synced district and, if there are files of a second night, a held run; and an operator's
    browser."""
    with material.place() as name:
        ready = material.ready(f"{name}/rollbook.db", files)
        if less:
            # It ends with the code of a held sync.
            words = ("sync", material.DISTRICT, str(less), "--database", ready.database)
            subprocess.run(
                (ROLLBOOK, *words), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        with closing(open_database(ready.database)) as database, database.write() as transaction:
            operator_accounts.add(transaction, Link("", "Ana", "operator", None))
            account = operator_accounts.get(transaction, "Ana")
            secret = operator_accounts.open_session(transaction, account, absolute_seconds=86_400)
        with (
            servers.serving(ready, {}) as server,
            httpx.Client(
                base_url=f"http://127.0.0.1:{server.port}", cookies={COOKIE: secret}, timeout=600
            ) as client,
        ):
            yield server, client


def _without_a_grade(files: Path, into: Path) -> None:
    """A second night whose students of one grade are missing, so that it is held."""
    for file in files.glob("*.csv"):
        lines = file.read_text("utf-8").splitlines(keepends=True)
        if file.name == "students.csv":
            grade = lines[0].rstrip().split(",").index("Grade")
            lines = [line for line in lines if line.split(",")[grade : grade + 1] not in (["3"], ["4"])]
        (into / file.name).write_text("".join(lines), "utf-8")


def _addresses(client: httpx.Client) -> list[str]:
    """All pages, with the ids of this district."""
    slug = client.get("/console.json").raise_for_status().json()["districts"][0]["slug"]
    place = f"/console/d/{slug}"

    def first(path: str, name: str, key: str) -> str:
        found = client.get(f"{place}{path}.json").raise_for_status().json()[name]
        return str(found[0][key]) if found else "0"

    person = client.get(f"{place}/people.json?role=student").json()["people"][0]
    given = {
        "RUN": first("/runs", "runs", "number"),
        "PERSON": person["id"],
        "SCHOOL": first("/schools", "schools", "id"),
        "SECTION": first("/sections", "sections", "id"),
        "CLIENT": first("/applications", "applications", "client_id"),
        "SEARCH": str(person["name"]).split()[-1],
    }
    every = [*(f"{place}{path}" for path in PAGES), *WIDE]
    for name, value in given.items():
        every = [path.replace(name, value) for path in every]
    return every


def _cost(server: Server, client: httpx.Client, path: str, repeats: int) -> Cost:
    """What a page costs after it was asked for once."""
    client.get(path).raise_for_status()
    return _measured(server, lambda: client.get(path), repeats)


def _measured(server: Server, ask: Callable[[], httpx.Response], repeats: int) -> Cost:
    asks = 5 * repeats
    before, walls, sent = server.meters[0](), [], 0
    for _ in range(asks):
        begun = time.perf_counter()
        answer = ask()
        walls.append(1000 * (time.perf_counter() - begun))
        sent = answer.raise_for_status().num_bytes_downloaded
    return Cost(1000 * (server.meters[0]() - before) / asks, statistics.median(walls), sent)


def _first_view(client: httpx.Client, path: str) -> tuple[int, int]:
    """The bytes of a page with its sheets, fonts and scripts, as they are sent; and those of its scripts alone."""
    page = client.get(path)
    total, scripts = page.num_bytes_downloaded, 0
    for found in dict.fromkeys(_PARTS.findall(page.content)):
        part = client.get(found.decode())
        total += part.num_bytes_downloaded
        if b".js" in found:
            scripts += part.num_bytes_downloaded
        total += sum(
            client.get(part.url.join(font.decode()).path).num_bytes_downloaded
            for font in dict.fromkeys(_FONTS.findall(part.content))
        )
    return total, scripts


def _preview(server: Server, client: httpx.Client, page: str, repeats: int) -> Cost:
    """The live preview of another share, while a person types."""
    form = re.search(r'name="form" value="([0-9a-f]+)"', client.get(page).text)
    assert form
    given = {"form": form[1], "kind": "text", "rules": RULES}
    return _measured(server, lambda: client.post(f"{page}/preview", data=given), repeats)
