"""The pages that a demo adds to the server's site."""

from __future__ import annotations

from functools import partial

from rollbook.demo import access_sheet, callback_page
from rollbook.demo.control import Control
from rollbook.demo.day_pages import Storyboard
from rollbook.demo.edit_pages import EditPages
from rollbook.demo.explorer_offer import Offers
from rollbook.demo.rehearsal_page import RehearsalPage
from rollbook.demo.serving import Demo
from rollbook.web.front import Published
from rollbook.web.http.visits import Desk
from rollbook.web.site import MorePages


def make(desk: Desk, demo: Demo, control: Control) -> MorePages:
    """The pages, and what every page may show of the demo."""
    days = Storyboard(desk, demo.token, control)
    sheet = partial(access_sheet.read, desk.database, desk.settings)
    return MorePages(
        (
            *callback_page.routes(desk, demo.district_name),
            *days.routes(),
            *EditPages(desk, demo.token, days, control).routes(),
            *RehearsalPage(desk).routes(),
        ),
        Published(demo.token, demo.basic, demo.district_name, sheet, Offers(desk).read),
    )
