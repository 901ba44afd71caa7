"""The reference pages match the rows."""

from __future__ import annotations

import json
import re

from tools import docs

from rollbook.web.docs import doc_sources
from tests.house.sources import ROOT


def test_reference_pages_are_current() -> None:
    assert docs.stale() == [], "run `make docs`"


def test_links_between_reference_pages_lead_somewhere() -> None:
    pages = {path.name: path.read_text("utf-8") for path in docs.FOLDER.glob("*.md")}
    headings = {
        name: {_anchor(line) for line in page.splitlines() if line.startswith("#")}
        for name, page in pages.items()
    }
    broken = [
        f"{name}: {target}"
        for name, page in pages.items()
        for target in set(re.findall(r"\]\(([^)]+)\)", page))
        if not _leads_somewhere(target, name, headings)
    ]
    assert broken == []


def test_pages_of_the_server_lead_to_docs_that_exist() -> None:
    templates = (ROOT / "src" / "rollbook" / "web" / "templates").rglob("*.html")
    named = {
        link
        for path in templates
        for link in re.findall(r'href="(/docs[\w/-]*)[#"]', path.read_text("utf-8"))
    }
    known = {doc_sources.address_of(path) for path in doc_sources.files(ROOT) if doc_sources.is_page(path)}
    assert named <= {"/docs", "/docs/search", *known}


def test_known_clients_have_the_versions_that_are_driven() -> None:
    page = (ROOT / "docs" / "guide" / "applications.md").read_text("utf-8")
    known = dict(re.findall(r"^\| ([\w@/-]+) \| ([\d.]+) \|", page, re.MULTILINE))
    python = re.findall(
        r"^([\w-]+)==([\d.]+)", (ROOT / "requirements" / "dev.txt").read_text("utf-8"), re.MULTILINE
    )
    node = json.loads((ROOT / "tests" / "node" / "package.json").read_text("utf-8"))["dependencies"]
    driven = dict(python) | node
    assert known == {name: driven.get(name) for name in known}
    assert set(node) - {"passport", "axe-core", "typescript"} <= set(known)


def _leads_somewhere(target: str, name: str, headings: dict[str, set[str]]) -> bool:
    file, _, anchor = target.partition("#")
    known = headings.get(file or name)
    return (docs.FOLDER / file).is_file() if known is None or not anchor else anchor in known


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")
