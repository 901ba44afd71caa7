"""The code samples of the Explorer, run as a person pastes them, in each language: each prints the API's answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook.demo import published
from rollbook.web.explorer import samples
from rollbook.web.explorer.asking import Asked
from tests import machine

# Language, the file to paste into, how to run it (the file comes last), and the package that has the program.
LANGUAGES = {
    "curl": ("sample.sh", ["sh"], "curl"),
    "python": ("sample.py", [sys.executable], "python3"),
    "javascript": ("sample.mjs", ["node"], "nodejs"),
    "ruby": ("sample.rb", ["ruby"], "ruby"),
    "php": ("sample.php", ["php"], "php-cli"),
    "java": ("Sample.java", ["java"], "default-jdk-headless"),
    "go": ("sample.go", ["go", "run"], "golang-go"),
}
OPERATIONS = (
    "/explorer/users?role=teacher&limit=2",
    "/explorer/users/{id}/sections",
    "/explorer/me?as=student",
    "/explorer/oauth/tokens",
    "/explorer/oauth/tokeninfo",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_samples_of_five_operations_print_what_the_api_answers(
    demo_address: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, language: str
) -> None:
    cache = tmp_path_factory.getbasetemp() / "go-cache"
    for address in OPERATIONS:
        page = httpx.get(demo_address + address).text
        shown = page.partition(f'<div class="view" id="{language}">')[2].partition("</pre>")[0]
        text = unescape(re.sub(r"<[^>]*>", "", shown.partition("<code>")[2].partition("</code>")[0]))
        assert json.loads(_run(language, text, tmp_path, cache)) == _answer(page), address


def test_a_secret_is_read_from_the_environment(demo_address: str, tmp_path: Path) -> None:
    asked = Asked("GET", "/v3.0/schools", (("limit", "1"),), f"Bearer {published.DISTRICT_TOKEN}")
    for sample in samples.of(asked, demo_address, is_public=False):
        assert published.DISTRICT_TOKEN not in sample.text
        if sample.name in ("curl", "python", "javascript"):
            environment = {samples.VARIABLE: asked.authorization}
            printed = json.loads(_run(sample.name, sample.text, tmp_path, tmp_path, environment))
            assert printed["data"][0]["data"]["name"]


def test_a_form_is_sent_as_a_form(demo_address: str, tmp_path: Path) -> None:
    form = (
        ("grant_type", "authorization_code"),
        ("code", "x y&z"),
        ("redirect_uri", "http://localhost/?a=b"),
    )
    asked = Asked("POST", "/oauth/tokens", authorization=published.APPLICATION.basic, form=form)
    (curl,) = (each for each in samples.of(asked, demo_address, is_public=True) if each.name == "curl")
    assert "error" in json.loads(_run("curl", curl.text, tmp_path, tmp_path))


def _answer(page: str) -> Any:
    """The answer that the page shows, without the hints beside it."""
    shown = page.partition('id="answer"')[2].partition("</pre>")[0].partition("<code>")[2]
    return json.loads(unescape(re.sub(r"<[^>]*>", "", re.sub(r'<span class="h">.*?</span>', "", shown))))


def _run(
    language: str, text: str, folder: Path, cache: Path, environment: dict[str, str] | None = None
) -> str:
    """What a sample prints. If the language is not installed, the test is skipped, but not in CI."""
    name, command, package = LANGUAGES[language]
    machine.need("curl" if language == "curl" else command[0], package=package)
    (folder / name).write_text(text, "utf-8")
    ran = subprocess.run(
        [*command, name],
        cwd=folder,
        env={**os.environ, "GOCACHE": str(cache), "GO111MODULE": "off", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, (language, ran.stderr)
    return ran.stdout
