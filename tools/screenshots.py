"""Pictures of the main pages for README and docs, made from a new demo by `python -m tools.screenshots`.

It needs Chromium. The same demo has the same people every time, so a picture changes only when a page does,
or the time that it tells.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from rollbook.demo.published import DISTRICT_TOKEN

FOLDER = Path(__file__).parents[1] / "docs" / "images"
PORT = 8400  # the picture shows the address of the guides
WIDTH, HEIGHT = 1280, 800
# Without the first two, Chromium does not start in containers.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"]
BEARER = {"Authorization": f"Bearer {DISTRICT_TOKEN}"}
# What the demo's district lives through before the pictures of the console.
PAST = (*[{"days": 1}] * 7, {"scenario": "mass-deletion"})


@dataclass(frozen=True)
class Pictured:
    """A page to picture: the file, and the address, where SLUG stands for the district and RUN for its last run."""

    file: str
    path: str


# In the first hour of a demo, and after its past.
EARLY = (
    Pictured("demo.png", "/"),
    Pictured("explorer.png", "/explorer"),
    Pictured("log.png", "/log"),
    Pictured("demo-days.png", "/demo"),
)
LATE = (
    Pictured("console.png", "/console"),
    Pictured("charts.png", "/console/d/SLUG/charts"),
    Pictured("held-run.png", "/console/d/SLUG/runs/RUN"),
    Pictured("share.png", "/console/d/SLUG/applications/CLIENT"),
    Pictured(
        "explain.png",
        "/console/d/SLUG/explain?person=973530614&application=Demo+SSO+application&field=student.dob",
    ),
)
# What the request log shows: calls as an application makes them, some of them wrong.
CALLS = (
    "/v3.0/schools",
    "/v3.0/users?role=student&limit=100",
    "/v3.0/users?rol=teacher",
    "/v3.1/sections?limit=10",
    "/v3.0/user",
    "/v3.0/events?limit=100",
)


def main() -> None:
    """Write every picture."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no chromium on this machine: apt install chromium")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(sys.executable).with_name("rollbook")
        command = [str(program), "demo", "--json", "--port", str(PORT), "--folder", f"{folder}/demo"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            try:
                assert server.stdout is not None
                take(json.loads(server.stdout.readline())["base_url"], chromium)
            finally:
                server.terminate()


def take(base: str, chromium: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    with (
        httpx.Client(base_url=base, headers=BEARER, timeout=120) as client,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        for path in CALLS:
            client.get(path)
        _picture(page, base, EARLY, {})
        for step in PAST:
            client.post("/demo/advance", json=step).raise_for_status()
        _picture(page, base, LATE, _names(client))
        browser.close()


def _names(client: httpx.Client) -> dict[str, str]:
    """What stands in addresses: the demo's district, its last run and its first application."""
    district = client.get("/console.json").json()["districts"][0]
    place = f"/console/d/{district['slug']}"
    run = client.get(f"{place}/runs.json").json()["runs"][0]["number"]
    application = client.get(f"{place}/applications.json").json()["applications"][-1]["client_id"]
    return {"SLUG": district["slug"], "RUN": str(run), "CLIENT": application}


def _picture(page: Page, base: str, pictured: tuple[Pictured, ...], names: dict[str, str]) -> None:
    for each in pictured:
        path = each.path
        for name, value in names.items():
            path = path.replace(name, value)
        page.goto(base + path, wait_until="load")
        page.screenshot(path=FOLDER / each.file)


if __name__ == "__main__":
    main()
