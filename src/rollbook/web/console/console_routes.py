"""The console's pages, gathered: a new group of pages is one more file with `PAGES`, and one more row here."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.routing import Route, Router

from rollbook.web.console import (
    application_pages,
    arrival_pages,
    chart_pages,
    entry_pages,
    home_pages,
    ids_pages,
    mail_pages,
    overview_pages,
    people_pages,
    places_pages,
    request_pages,
    run_pages,
    settings_pages,
    sharing_pages,
    signing_in_pages,
    team_pages,
    trail_pages,
    upload_pages,
)
from rollbook.web.console.console_frame import CSV, HTML, JSON, Console, Page
from rollbook.web.http.request_tap import RequestTap
from rollbook.web.http.visits import Desk

# The rows of all files of pages, in the order of the sidebar.
PAGES: tuple[Page, ...] = (
    *overview_pages.PAGES,
    *home_pages.PAGES,
    *run_pages.PAGES,
    *upload_pages.PAGES,
    *arrival_pages.PAGES,
    *people_pages.PAGES,
    *places_pages.PAGES,
    *chart_pages.PAGES,
    *ids_pages.PAGES,
    *sharing_pages.PAGES,
    *application_pages.PAGES,
    *request_pages.PAGES,
    *settings_pages.PAGES,
    *signing_in_pages.PAGES,
    *team_pages.PAGES,
    *mail_pages.PAGES,
    *trail_pages.PAGES,
    *entry_pages.PAGES,
)


def pages(desk: Desk, tap: RequestTap | None) -> Router:
    """The console as one application."""
    return Router([*_routes(Console(desk, PAGES, tap))], redirect_slashes=False)


def _routes(console: Console) -> Iterator[Route]:
    for page in PAGES:
        if page.show:
            for form in (JSON, CSV):
                yield Route(f"{page.path}.{form}", console.at(page, page.show, form), methods=["GET"])
    for page in PAGES:
        if page.show:
            yield Route(page.path, console.at(page, page.show, HTML), methods=["GET"])
        if page.send:
            yield Route(page.path, console.at(page, page.send, HTML), methods=["POST"])
