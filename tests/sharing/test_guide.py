"""The guides and the README tell one story, and their commands run as printed.

Each page runs in its own folder, in a real shell, after the pages that its head names. A line that cannot run
here ends with a comment that says why, and is listed in NOT_RUN. A line that ends in `# is held` must fail.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys import program

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guide"
README = ROOT / "README.md"
# The list of the guides has no commands; the README tries the links of its lines.
PAGES = (README, *(page for page in sorted(GUIDES.glob("*.md")) if page.name != "README.md"))
PATH_LINE = 'export PATH="$PWD/.venv/bin:$PATH"'

SERVES = "# until Ctrl+C"
# The end of a line's comment, and why such a line is not run here.
WHY_NOT = {
    SERVES: "it serves until it is stopped: tests/journeys start servers as processes",
    "# the other server": "it needs another server: tests/clone and tests/journeys/test_clone.py have one",
    "# the copy": "it needs what was copied from another server",
    "# or: apply it after all": "it is the other way out of the line before it: tests/journeys/test_holds.py takes both",
    "# the running demo": "it needs a demo that runs: tests/journeys/test_demo.py runs it as the demo prints it",
}
NOT_RUN = {
    "README.md": ["rollbook serve"],
    "clone.md": [
        "rollbook clone https://api.example.org",
        "rollbook serve",
        'rollbook connect "Reading Room" "Springfield Unified"',
        'rollbook clone https://api.example.org --name "Springfield (copy)"',
    ],
    "console.md": ["rollbook demo"],
    "demo.md": [
        "rollbook demo",
        "rollbook demo --redirect-uri http://localhost:3000/callback",
        (
            'rollbook application set "Demo application" --redirect-uri http://localhost:3000/callback'
            " --database rollbook-demo/rollbook.db"
        ),
        (
            'rollbook application set "Demo application" --redirect-uri http://127.0.0.1:8400/demo/arrived'
            " --database rollbook-demo/rollbook.db"
        ),
    ],
    "history.md": ['rollbook approve "Springfield Unified"'],
    "nights.md": ["rollbook sftp serve --host 0.0.0.0 --port 8422", "rollbook work --processes 2"],
    "rehearse.md": [
        "rollbook demo --redirect-uri http://localhost:3000/callback",
        'rollbook rehearse "Demo application" --sync "python3 examples/python/local_copy.py copy.json"',
        'rollbook rehearse "Demo SSO application"',
        'rollbook rehearse "Demo application" --callback - --point scopes --json',
    ],
    "request-log.md": ["rollbook log --status 4xx --follow"],
    "running.md": [
        "rollbook serve --host 0.0.0.0 --port 8400 --workers 4",
        "rollbook serve",
        "rollbook demo",
    ],
    "start.md": ["rollbook demo"],
}
# Whole blocks that other tests run.
ELSEWHERE = {"demo.json": "tests/journeys/test_demo.py"}
HELD = "# is held"


def blocks(page: Path) -> Iterator[str]:
    """The blocks of a page with our commands, as printed.

    Files have a language: tests/journeys/test_recipes.py.
    """
    for language, block in re.findall(
        r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    ):
        if (
            not language
            and re.search(r"^rollbook ", block, re.MULTILINE)
            and not any(word in block for word in ELSEWHERE)
        ):
            yield block


def comment(line: str) -> str:
    """The comment that says that a line is not run, or held; blank for other lines."""
    return next((known for known in (*WHY_NOT, HELD) if line.rstrip().endswith(known)), "")


def command(line: str) -> str:
    return line.partition(" #")[0].rstrip()


def as_run(line: str) -> str:
    """A line of a page as the shell receives it."""
    if comment(line) in WHY_NOT:
        return ""
    return f"if {command(line)}; then exit 99; fi" if comment(line) == HELD else line


def before(page: Path) -> list[Path]:
    """The pages whose commands run first, in order."""
    told = re.search(r"go on from\n?>? ?((?:[^\n]|\n>)*)", page.read_text("utf-8").partition("\n## ")[0])
    direct = [page.parent / name for name in re.findall(r"\]\(([\w-]+\.md)\)", told[1])] if told else []
    return list(dict.fromkeys(each for one in direct for each in (*before(one), one)))


def run(page: Path, folder: Path) -> None:
    """Run a page's commands in a folder."""
    environment = {**program.environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in blocks(page):
        script = "\n".join(map(as_run, block.splitlines()))
        # In its own session: a question goes to standard input, not to a terminal that happens to be there.
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=folder,
            env=environment,
            input="a secret\n",
            capture_output=True,
            text=True,
            timeout=program.TIMEOUT_SECONDS,
            start_new_session=True,
            check=False,
        )
        assert done.returncode == 0, (page.name, script, done.stdout[-2000:], done.stderr[-2000:])


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Path]:
    """Folders as they are after rows of pages, kept for the pages that continue there. A row runs once."""
    return {(): tmp_path_factory.mktemp("nothing")}


def place_after(pages: tuple[Path, ...], places: dict[tuple[str, ...], Path], work: Path) -> Path:
    names = tuple(page.name for page in pages)
    if names not in places:
        folder = Path(shutil.copytree(place_after(pages[:-1], places, work), work / "-".join(names)))
        run(pages[-1], folder)
        places[names] = folder
    return places[names]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_commands_of_a_page_run_as_printed(
    page: Path, places: dict[tuple[str, ...], Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place_after((*before(page), page), places, tmp_path_factory.mktemp("pages"))


def test_nothing_is_frozen_at_the_end_of_the_guide_to_sharing(
    places: dict[tuple[str, ...], Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = GUIDES / "sharing.md"
    folder = place_after((*before(page), page), places, tmp_path_factory.mktemp("pages"))
    assert "frozen" not in program.done("shares", "Springfield Unified", folder=folder)


def test_what_is_not_run_is_listed() -> None:
    found = {
        page.name: [
            command(line) for block in blocks(page) for line in block.splitlines() if comment(line) in WHY_NOT
        ]
        for page in PAGES
    }
    assert {name: lines for name, lines in found.items() if lines} == NOT_RUN


def test_every_page_with_commands_says_how_rollbook_is_found() -> None:
    texts = {page.name: page.read_text("utf-8") for page in PAGES}
    with_commands = {name for name, text in texts.items() if re.search(r"^rollbook ", text, re.MULTILINE)}
    assert len(with_commands) > 15
    assert [name for name in with_commands if PATH_LINE not in texts[name]] == []


def test_the_readme_leads_to_every_guide() -> None:
    linked = re.findall(r"\]\(docs/guide/([\w-]+\.md)", README.read_text("utf-8"))
    assert sorted({*linked}) == sorted(page.name for page in GUIDES.glob("*.md"))


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_there_is_one_story() -> None:
    """One district, one application: a reader of two pages meets the same names."""
    text = "".join(block for page in PAGES for block in blocks(page))
    districts = {*re.findall(r"(?:district create|rollbook (?:sync|undo|pause|shares)) (\"[^\"]+\")", text)}
    applications = {
        *re.findall(r"(?:application create|rollbook (?:connect|share|token|thaw)) (\"[^\"]+\")", text)
    }
    assert (districts, applications) == ({'"Springfield Unified"'}, {'"Reading Room"'})
