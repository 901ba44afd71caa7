"""Pictures of the main pages for README and docs, made from a new demo by `python -m tools.screenshots`.

It needs Chromium. The same demo has the same people every time, so a picture changes only when a page does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parents[1] / "docs" / "images"
PORT = 8400  # the picture shows the address of the guides
WIDTH, HEIGHT = 1280, 800
# File -> path of the page.
PAGES = {"demo.png": "/"}
# Without the first two, Chromium does not start in containers.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"]


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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        for name, path in PAGES.items():
            page.goto(base + path, wait_until="networkidle")
            page.screenshot(path=FOLDER / name)
        browser.close()


if __name__ == "__main__":
    main()
