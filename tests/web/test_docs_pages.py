"""The documentation over HTTP: every page of the project's own docs, its links, the search, and wrong
addresses."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from starlette.applications import Starlette

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS
from rollbook.contract.clever.fields import SHAPES
from rollbook.contract.clever.openapi_schemas import SERVED, fields_of
from rollbook.contract.clever.record_links import FIELD_LINKS
from rollbook.domain.kinds import KINDS
from rollbook.web.docs import doc_pages, doc_sources, explorer_links
from rollbook.web.docs.library import Library
from rollbook.web.docs.search_index import Findable, SearchIndex
from rollbook.web.explorer import field_marks
from rollbook.web.explorer.catalog import Catalog
from rollbook.web.http.templates import environment
from tests.house.sources import ROOT


@cache
def library() -> Library:
    """The project's own docs, rendered once in a test process."""
    return Library(doc_sources.root())


def get(
    *addresses: str, folder: Path | None = None, known: str = "", encoding: str = "gzip"
) -> list[httpx.Response]:
    """The answers of one server that serves the documentation."""
    app = Starlette(routes=doc_pages.routes(environment(in_demo=False), folder))

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://docs.test") as client:
            return [
                await client.get(address, headers={"If-None-Match": known, "Accept-Encoding": encoding})
                for address in addresses
            ]

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def served() -> dict[str, httpx.Response]:
    """Every page by its address."""
    addresses = ["/docs", *library().pages]
    return dict(zip(addresses, get(*addresses), strict=True))


def attributes(html: str, name: str) -> list[str]:
    return [unescape(value) for value in re.findall(rf'\s{name}="([^"]*)"', html)]


def test_every_markdown_file_of_the_docs_is_a_page(served: dict[str, httpx.Response]) -> None:
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    expected = {doc_sources.address_of(path) for path in files if path != "docs/README.md"}
    assert expected <= served.keys()
    assert {answer.status_code for answer in served.values()} == {200}


def test_every_link_leads_to_a_page_or_a_part_of_one(served: dict[str, httpx.Response]) -> None:
    parts = {address: set(attributes(answer.text, "id")) for address, answer in served.items()}
    broken = [
        f"{address}: {link}"
        for address, answer in served.items()
        for link in set(attributes(answer.text, "href"))
        if link.startswith(("#", "/docs")) and not _is_there(link, address, parts)
    ]
    assert broken == []


def _is_there(link: str, here: str, parts: dict[str, set[str]]) -> bool:
    path, _, anchor = link.partition("#")
    known = parts.get(path or here)
    return path in library().images if known is None else not anchor or anchor in known


def test_no_page_asks_another_host_or_holds_a_script_or_a_style(served: dict[str, httpx.Response]) -> None:
    for address, answer in served.items():
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy, address
        assert re.findall(r'<script(?![^>]*\ssrc="/)|<style|\sstyle=|\son\w+=', answer.text) == [], address
        assert [source for source in attributes(answer.text, "src") if not source.startswith("/")] == []


def test_guides_stand_in_the_order_of_their_list(served: dict[str, httpx.Response], tmp_path: Path) -> None:
    guide = tmp_path / "docs" / "guide"
    guide.mkdir(parents=True)
    (guide / "README.md").write_text(
        "# Guides\n\n## Begin\n\n1. [Second by name](zebra.md): what it is\n\n## Later\n\n- [First by name](apple.md)\n"
    )
    for name in ("apple", "zebra", "unlisted"):
        (guide / f"{name}.md").write_text(f"# The {name}\n\nText.\n")
    chapters = doc_sources.chapters(tmp_path, doc_sources.files(tmp_path))
    assert [(chapter.title, [entry.address for entry in chapter.entries]) for chapter in chapters] == [
        ("Begin", ["/docs/guide/zebra"]),
        ("Later", ["/docs/guide/apple", "/docs/guide/unlisted"]),
    ]
    assert chapters[0].entries[0].summary == "What it is"
    [first, middle] = get("/docs/guide/zebra", "/docs/guide/apple", folder=tmp_path)
    assert 'rel="next"' in first.text
    assert 'rel="prev"' not in first.text
    assert 'href="/docs/guide/unlisted" rel="next"' in middle.text


def test_a_file_becomes_a_page_without_its_raw_html(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(
        "<!-- a note -->\n\n# A < title\n\nSee [the code](../src/code.py) and [other](other.md#part), a < b.\n\n"
        "<script>alert(1)</script>\n\nHere <b onclick='x'>bold</b>.\n\n```\ncurl \"$X\" <in\n```\n"
        "[bad](javascript:alert(1))\n\n| a | b |\n|---|---|\n| | x |\n"
    )
    (tmp_path / "docs" / "other.md").write_text("# Other\n\n## Part\n")
    (tmp_path / "secret.md").write_text("# Secret\n")
    [page, secret, above] = get("/docs/page", "/docs/../secret", "/docs/%2e%2e/secret", folder=tmp_path)
    assert "A &lt; title</h1>" in page.text
    assert "a note" not in page.text
    assert "See the code and" in page.text
    assert 'href="/docs/other#part"' in page.text
    assert "<script>alert" not in page.text
    assert "<b " not in page.text
    assert 'href="javascript' not in page.text
    assert (secret.status_code, above.status_code) == (404, 404)
    assert "Secret" not in secret.text + above.text


def test_each_cell_of_a_broad_table_names_its_column_for_a_phone(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(
        "# Page\n\n| a | b&w | |\n|-|-|-|\n| x | y | z |\n\n| a | b |\n|-|-|\n| x | y |\n"
    )
    html = get("/docs/page", folder=tmp_path)[0].text
    assert (
        re.sub(r"\s*\n", "", html).count('<th scope="row">x</th><td data-label="b&amp;w">y</td><td>z</td>')
        == 1
    )
    assert html.count('class="register blocks"') == html.count('class="register slim"') == 1


def test_the_example_programs_are_pages_that_the_guides_lead_to(served: dict[str, httpx.Response]) -> None:
    programs = [path for path in (ROOT / "examples").rglob("*") if path.suffix in (".py", ".mjs")]
    listed = attributes(served["/docs/examples"].text, "href")
    for path in programs:
        address = doc_sources.address_of(path.relative_to(ROOT).as_posix())
        assert address in listed
        about = (
            "Keep a local copy",
            "OAuth 2.0",
            "teachers sign in and see their classes",
            "The tests of the",
        )
        assert any(words in served[address].text for words in about)
    guides = {
        link
        for address, answer in served.items()
        if address.startswith("/docs/guide/")
        for link in attributes(answer.text, "href")
    }
    assert {link.partition("#")[0] for link in guides} >= {"/docs/examples"}


def test_a_link_to_a_server_on_the_reader_s_machine_leads_to_this_one(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# Page\n\nOpen <http://127.0.0.1:8400/demo>.\n")
    [page] = get("/docs/page", folder=tmp_path)
    assert '<a href="/demo">http://127.0.0.1:8400/demo</a>' in page.text


def test_every_path_leads_to_its_operation_in_the_explorer(served: dict[str, httpx.Response]) -> None:
    links = attributes(served["/docs/reference/endpoints"].text, "href")
    expected = {
        f"/explorer{row.path}".replace("{", "%7B").replace("}", "%7D") for row in (*ENDPOINTS, *EVENTS)
    }
    assert expected <= set(links)


def test_every_field_leads_to_its_record_in_the_explorer(served: dict[str, httpx.Response]) -> None:
    page = served["/docs/reference/fields"].text
    rows = dict(re.findall(r'<th scope="row" id="([\w.]+)"><a href="([^"]+)">', page))
    for shape in SHAPES:
        for row in fields_of(shape, "3.0"):
            address = rows[f"{shape.lower()}.{row.name}"]
            assert re.fullmatch(rf"/explorer/records/\w+#r-{shape.lower()}", address)
    assert rows["school.low_grade"] == "/explorer/records/schools#r-school"
    assert rows["student.graduation_year"] == "/explorer/records/users#r-student"


def test_every_link_to_the_explorer_leads_to_a_page_of_it(served: dict[str, httpx.Response]) -> None:
    operations = {f"/explorer{slug}" for slug in Catalog().by_slug}
    records = {
        f"/explorer/records/{kind.name}#r-{shape.name.lower()}"
        for kind in SERVED
        for shape in field_marks.shapes(kind.shape, "3.0")
    }
    links = {link for answer in served.values() for link in attributes(answer.text, "href")}
    known = {"/explorer", "/explorer/sign-in", *operations, *records}
    assert {
        link
        for link in links
        if link.startswith("/explorer") and unquote(link).partition("?")[0] not in known
    } == set()


@pytest.mark.parametrize(
    ("call", "address"),
    [
        ("/v3.0/users", "/explorer/users"),
        ("GET /v3.0/users?role=teacher&limit=3", "/explorer/users?role=teacher&limit=3"),
        ("/v3.0/sections/ID/users", "/explorer/sections/%7Bid%7D/users"),
        (
            "/users/6a82a3614fd3ba25000000bc/sections",
            "/explorer/users/%7Bid%7D/sections?id=6a82a3614fd3ba25000000bc",
        ),
        ("/v3.0/me", "/explorer/me"),
        ("/v3.1/users?limit=3", "/explorer/users?limit=3&version=3.1"),
        ("/v3.9/users", None),
        ("POST /oauth/tokens", "/explorer/oauth/tokens/post"),
        ("/.well-known/openid-configuration", "/explorer/.well-known/openid-configuration"),
        ("/v3.0/nope", None),
        ("POST /v3.0/users", None),
        ("docs/guide", None),
    ],
)
def test_a_call_is_named_by_its_operation(call: str, address: str | None) -> None:
    assert explorer_links.of_call(call) == address


def test_a_line_that_reads_leads_to_the_explorer_and_one_that_writes_does_not(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(
        "# Page\n\n```\ncurl http://127.0.0.1:8400/v3.0/users?role=teacher\n```\n\n"
        "```\ncurl -X POST http://127.0.0.1:8400/v3.0/events\n```\n\n`GET /v3.0/sections/{id}/users` `/v3.0/nope`\n"
    )
    [page] = get("/docs/page", folder=tmp_path)
    explorer = [link for link in attributes(page.text, "href") if link.startswith("/explorer/")]
    assert explorer == ["/explorer/users?role=teacher", "/explorer/sections/%7Bid%7D/users"]


def test_the_drawing_shows_every_kind_and_every_field_that_holds_ids(
    served: dict[str, httpx.Response],
) -> None:
    page = served["/docs/reference/records"].text
    drawing = page[page.index("<svg xmlns") : page.index("</svg>", page.index("<svg xmlns"))]
    for kind in SERVED:
        assert f">{kind.shape}</text>" in drawing
    shown = {link.field.removeprefix("roles.") for link in FIELD_LINKS if link.target != "districts"}
    assert shown <= set(re.findall(r'<text class="field"[^>]*>([^<]+)<', drawing))
    assert {"/docs/reference/fields#section", "/docs/reference/endpoints#events"} <= set(
        attributes(drawing, "href")
    )


def test_field_links_are_all_the_ids_that_records_hold() -> None:
    said = {
        (shape, row.name)
        for shape in SHAPES
        for row in fields_of(shape, "3.0")
        if re.match(r"Ids? of the|Ids:|Ids of", row.help) and row.name not in ("id", "legacy_id")
    }
    nested = {"contact": "Contact", "staff": "Staff", "student": "Student", "teacher": "Teacher"}
    shapes = {kind.name: kind.shape for kind in KINDS}
    linked = set()
    for link in FIELD_LINKS:
        holder = {1: shapes[link.kind], 3: nested.get(link.path[1] if len(link.path) > 1 else "", "")}
        linked.add((holder.get(len(link.path), "StudentRelationship"), link.path[-1]))
    assert said - {("DistrictContact", "district"), ("Contact", "sis_id")} <= linked | {
        (shape, "district") for shape in SHAPES
    }


def hits(query: str) -> list[str]:
    return [hit.address for hit in library().index.find(query)]


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("low_grade", "/docs/reference/fields#school.low_grade"),
        ("ROLLBOOK_RATE_LIMIT", "/docs/reference/settings#row.rollbook_rate_limit"),
        ("/sections/{id}/users", "/docs/reference/endpoints#sections.sectionsidusers"),
        ("rollbook undo", "/docs/reference/cli#rollbook-undo"),
        ("open-quote", "/docs/reference/problems#stops-nothing-is-written.open-quote"),
        ("student_number", "/docs/reference/files#studentscsv.student_number"),
    ],
)
def test_search_finds_the_row_of_a_field_setting_path_command_problem_and_column(
    query: str, address: str
) -> None:
    assert address in hits(query)[:5]


def test_search_shows_title_heading_and_an_excerpt_with_the_words_marked() -> None:
    [answer] = get("/docs/search?q=low_grade")
    assert answer.status_code == 200
    assert 'href="/docs/reference/fields#school.low_grade"' in answer.text
    assert "School · low_grade" in answer.text
    assert "<mark>low_grade</mark>" in answer.text


def test_search_for_nothing_known_says_what_may_be_meant() -> None:
    [wrong, nonsense, empty] = get("/docs/search?q=studnets", "/docs/search?q=xqzzy", "/docs/search")
    assert 'href="/docs/search?q=student"' in wrong.text
    assert "No page holds these words" in nonsense.text
    assert "Did you mean" not in nonsense.text
    assert (empty.status_code, "<ol" in empty.text.partition("<h1>")[2]) == (200, False)


@pytest.mark.parametrize(
    "query", ["<script>alert(1)</script>", "%00", "a" * 5000, "(" * 500, "שלום", "%F0%9F%98%80", "a " * 3000]
)
def test_search_takes_any_words(query: str) -> None:
    [answer] = get(f"/docs/search?q={query}")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert len(answer.content) < 100_000


def test_a_place_with_all_the_words_goes_before_one_with_one_word_often() -> None:
    index = SearchIndex(
        [
            Findable("/a", "A", "", "limit " * 50),
            Findable("/b", "B", "", "the rate has a limit"),
            Findable("/c", "C", "", "nothing here"),
        ]
    )
    assert [hit.address for hit in index.find("rate limits")] == ["/b", "/a"]
    assert [hit.address for hit in index.find("noth")] == ["/c"]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("/docs/reference/feilds", "/docs/reference/fields"),
        ("/docs/reference/fields.md", "/docs/reference/fields"),
        ("/docs/setings", "/docs/reference/settings"),
        ("/docs/guides/sign_in", "/docs/guide/sign-in"),
    ],
)
def test_a_wrong_address_answers_404_with_the_nearest_pages(wrong: str, meant: str) -> None:
    [answer] = get(wrong)
    assert answer.status_code == 404
    main = answer.text.partition("The nearest pages")[2]
    assert meant in attributes(main, "href")


def test_a_page_that_a_browser_has_is_not_sent_again() -> None:
    [first] = get("/docs/reference/cli")
    [again] = get("/docs/reference/cli", known=first.headers["etag"])
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_a_page_is_compressed_for_a_browser_that_takes_it(served: dict[str, httpx.Response]) -> None:
    [plain] = get("/docs/reference/fields", encoding="identity")
    packed = served["/docs/reference/fields"]
    assert (packed.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.text == plain.text
    assert max(int(answer.headers["content-length"]) for answer in served.values()) < 40_000


def test_docs_are_found_in_an_installed_package_too(tmp_path: Path, monkeypatch: Any) -> None:
    package = tmp_path / "lib" / "rollbook"
    (package / "documentation" / "docs").mkdir(parents=True)
    monkeypatch.setattr("rollbook.__file__", str(package / "__init__.py"))
    assert doc_sources.root() == package / "documentation"
    monkeypatch.undo()
    assert doc_sources.root() == ROOT
