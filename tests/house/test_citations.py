"""Each fact that the code cites is in the project: in a page of docs/, under a heading with the cited
number."""

from __future__ import annotations

import re

from tests.house.sources import ROOT, everything

# `protocol.md 5.7`, also over a line break and in a list: `protocol.md 4.3/10`, `protocol.md 4.1 and 4.2`.
CITATION = re.compile(r"\b([\w-]+\.md)((?:[\s,/]+(?:and\s+)?\d+(?:\.\d+)?\b)+)")
HEADING = re.compile(r"^#+ (\d+(?:\.\d+)?)\.? ", re.MULTILINE)


def test_every_citation_leads_to_a_heading_of_the_project() -> None:
    wrong, count = [], 0
    for source in everything():
        text = source.text
        for page, numbers in CITATION.findall(text):
            for number in re.findall(r"\d+(?:\.\d+)?", numbers):
                count += 1
                if number not in _headings(page):
                    wrong.append(f"{source.path.relative_to(ROOT)}: {page} {number}")
    assert wrong == []
    assert count > 20


def test_every_page_that_code_names_is_there() -> None:
    named = {
        (source.path.relative_to(ROOT), page)
        for source in everything()
        if source.module.startswith("rollbook")
        for page in re.findall(r"(?<![\w/.-])([a-z][\w-]+\.md)\b", source.text)
    }
    assert [f"{path}: {page}" for path, page in sorted(named) if not list((ROOT / "docs").rglob(page))] == []


def _headings(page: str) -> set[str]:
    path = ROOT / "docs" / page
    return set(HEADING.findall(path.read_text("utf-8"))) if path.exists() else set()
