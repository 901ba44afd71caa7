"""A real browser for tests of what can be seen, and a real server for it to visit."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import machine
from tests.journeys import node

# A slow machine is not a failure: expected content may take this long.
expect.set_options(timeout=60_000)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# No sandbox: it needs rights that containers and CI machines do not give. The other options keep the browser
# from calling home.
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
AXE = node.FOLDER / "node_modules" / "axe-core" / "axe.min.js"
POOR_CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
# What a page gets wrong for people who cannot see it, or who press it with a thumb (WCAG 2.2: 1.3.1, 2.4.2,
# 2.5.8, 3.1.1, 4.1.2).
FLAWS = Path(__file__).with_name("flaws.js").read_text("utf-8")


# The widths and colour schemes in which each state of each page is checked.
VARIANTS = tuple((width, scheme) for width in (1440, 360) for scheme in ("light", "dark"))
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# What depends on the scheme; all else on the width alone, so each width is looked at whole in one scheme.
COLOURS = ("color-contrast", "link-in-text-block")
WHOLE = ((1440, "light"), (360, "dark"))
# Only what is read is made: a selector and a report of each part that keeps the rules take half of the time.
_FOUND = """async (only) => (await axe.run(document, {
  runOnly: only, resultTypes: ["violations"], selectors: false, elementRef: false, performanceTimer: false
})).violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 120)}`))"""
# What makes the page scroll sideways: parts that reach beyond its edge, but for those inside of a part that scrolls.
_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
  .filter((part) => part.getBoundingClientRect().right > innerWidth + 1 && !part.closest(".scroll, .code, .tabs"))
  .map((part) => part.outerHTML.slice(0, 100)).slice(-5).concat("it scrolls sideways")"""


@contextmanager
def opened() -> Iterator[Browser]:
    """The browser. If there is none, the test is skipped, but not in CI."""
    if CHROMIUM is None:
        machine.lacks("no chromium on this machine: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def served(app: Any, at: socket.socket | None = None) -> Iterator[str]:
    """A server on a port of its own, or at an opened one; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([at] if at else None,))
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:  # otherwise a test that fails never ends
        server.should_exit = True
        thread.join()


def listened(page: Page) -> list[str]:
    """The page's errors and warnings from now on, except on a page that is an error itself."""
    complaints: list[str] = []

    def on_console(message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


# What a page may weigh: its first view, its scripts, and all of the Explorer.
FIRST_VIEW_BYTES, SCRIPT_BYTES, EXPLORER_BYTES = 60 * 1024, 30 * 1024, 120 * 1024
# Answers to forms and to addresses with a query are not compressed, so that their length reveals nothing (BREACH).
PLAIN_VIEW_BYTES = 80 * 1024
# Each part of the page with its size as it was sent; a part from the browser's cache counts, too.
_PARTS = """
() => [performance.getEntriesByType("navigation")[0], ...performance.getEntriesByType("resource")
    .filter((one) => ["script", "link", "css", "img"].includes(one.initiatorType))]
    .map((one) => [new URL(one.name).pathname, one.encodedBodySize, one.decodedBodySize])
"""


def assert_accessible(page: Page) -> None:
    """The page as it is breaks no rule of axe-core, and does not scroll sideways, in any variant."""
    node.install()
    page.evaluate(AXE.read_text("utf-8"))
    for width, scheme in VARIANTS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        is_whole = (width, scheme) in WHOLE
        only = {"type": "tag", "values": RULES} if is_whole else {"type": "rule", "values": COLOURS}
        found = page.evaluate(_FOUND, only)
        assert found == [], (width, scheme, found)
        wide = page.evaluate(_WIDE)
        assert wide == [], (width, scheme, wide)


def assert_light(page: Page) -> None:
    """The page's first view and its scripts are within their bounds, as the browser loaded them."""
    parts, address = page.evaluate(_PARTS), urlsplit(page.url)
    whole = sum(size for _, size, _ in parts)
    scripts = sum(size for path, size, _ in parts if path.endswith(".js"))
    _, sent, read = parts[0]
    is_plain = sent == read
    if is_plain and not address.query:
        # This was the answer to a form. The page at the same address is compressed, if there is one.
        again = page.request.get(page.url)
        assert again.status != 200 or again.headers.get("content-encoding") == "gzip", page.url
    if address.path.startswith("/explorer"):
        assert whole <= EXPLORER_BYTES, (whole, parts)
        return
    assert whole <= (PLAIN_VIEW_BYTES if is_plain else FIRST_VIEW_BYTES), (whole, parts)
    assert scripts <= SCRIPT_BYTES, (scripts, parts)
    assert all(size for _, size, _ in parts[1:]), parts
