"""Static files over HTTP: their addresses, caching and compression, and that nothing else is served."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from rollbook.web.http.static_files import MEDIA_TYPES, ROOT, StaticFiles, static_files

SHEET = "rollbook.css"
SHEET_BYTES_MAX = 16 * 1024


def ask(
    path: str,
    files: StaticFiles | None = None,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    app = Starlette(routes=[(files or static_files()).route()])

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://rollbook.test") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fonts").mkdir()
    (tmp_path / "page.css").write_text("p { color: red }\n" * 100, "utf-8")
    (tmp_path / "fonts" / "letters.woff2").write_bytes(b"wOF2" * 100)
    (tmp_path / "LICENSE.txt").write_text("free", "utf-8")
    return tmp_path


def test_a_file_is_kept_for_a_year_under_the_address_that_holds_its_version() -> None:
    answer = ask(static_files().address(SHEET))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.content == (ROOT / SHEET).read_bytes()


@pytest.mark.parametrize("address", [f"/static/{SHEET}", f"/static/0123456789ab/{SHEET}"])
def test_a_file_under_another_address_is_asked_for_again(address: str) -> None:
    first = ask(address)
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    again = ask(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_every_address_changes_when_a_file_changes(folder: Path) -> None:
    before = StaticFiles(folder).address("fonts/letters.woff2")
    (folder / "page.css").write_text("p { color: blue }", "utf-8")
    assert before != StaticFiles(folder).address("fonts/letters.woff2")


def test_text_is_compressed_for_a_browser_that_takes_it(folder: Path) -> None:
    files, plain = StaticFiles(folder), (folder / "page.css").read_bytes()
    for accepted, encoding in [("gzip, br", "gzip"), ("identity", None), ("gzip;q=0", None)]:
        answer = ask(files.address("page.css"), files, headers={"Accept-Encoding": accepted})
        assert (encoding, "Accept-Encoding") == (
            answer.headers.get("content-encoding"),
            answer.headers["vary"],
        )
        assert answer.content == plain  # decoded by the client
        assert (int(answer.headers["content-length"]) < len(plain)) == (encoding == "gzip")
    assert "content-encoding" not in ask(files.address("fonts/letters.woff2"), files).headers


def test_head_has_the_headers_of_get() -> None:
    address = static_files().address(SHEET)
    get, head = ask(address), ask(address, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert dict(get.headers) == dict(head.headers)


def test_every_file_is_guarded() -> None:
    headers = ask(static_files().address("mark.svg")).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["", "nothing.css", "../app.py", "%2e%2e/app.py", "/etc/passwd", "LICENSE.txt", "fonts"]
)
def test_nothing_but_static_files_is_served(folder: Path, path: str) -> None:
    assert ask(f"/static/{path}", StaticFiles(folder)).status_code == 404


def test_a_file_that_is_not_there_has_no_address() -> None:
    with pytest.raises(KeyError):
        static_files().address("nothing.css")


# --- what the files hold


def test_the_sheet_is_small() -> None:
    assert len(gzip.compress((ROOT / SHEET).read_bytes(), 9)) <= SHEET_BYTES_MAX


def test_no_sheet_or_script_of_ours_names_another_host() -> None:
    ours = [
        path
        for path in ROOT.rglob("*")
        if path.suffix in MEDIA_TYPES
        and path.suffix in (".css", ".js", ".svg")
        and "vendor" not in path.parts
    ]
    assert len(ours) > 3
    named = {
        path.name: found
        for path in ours
        if (found := re.findall(r"""(?:url\(|import |from )["']?(?:https?:)?//""", path.read_text("utf-8")))
    }
    assert named == {}


def test_every_file_that_the_sheet_names_is_there() -> None:
    named = re.findall(r'url\("([^"]+)"\)', (ROOT / SHEET).read_text("utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
