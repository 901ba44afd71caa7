"""A demo's server: the usual server, with published credentials and pages of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rollbook.demo import demo_folder
from rollbook.demo.control import Control
from rollbook.demo.demo_folder import LIMITS, STATE
from rollbook.demo.faults import Faults
from rollbook.demo.shared_state import SharedState
from rollbook.settings import PREFIX, Settings
from rollbook.store.district.demo_faults import FaultRows
from rollbook.store.engine.database import Database
from rollbook.web import server
from rollbook.web.app import App, Extension
from rollbook.web.data.api import Receive, Scope, Send

if TYPE_CHECKING:  # loaded after the start
    from rollbook.web.http.visits import Desk
    from rollbook.web.site import MorePages

# How worker processes learn that they serve a demo: they start fresh and read only their environment.
TOKEN, BASIC, DISTRICT = (PREFIX + name for name in ("DEMO_TOKEN", "DEMO_BASIC", "DEMO_DISTRICT"))


@dataclass(frozen=True, slots=True)
class Demo:
    """The parts of a demo: a public token, public Basic credentials, and their district's name."""

    token: str
    basic: str
    district_name: str

    def extend(self, database: Database, settings: Settings) -> Extension:
        """What a demo's server adds to the usual server."""
        # Workers on one file share a file beside it. Machines on one database server share what is in the database.
        shared = SharedState(demo_folder.of(settings) / STATE if database.is_local else None)
        faults = Faults(database, settings.rate_limit, shared if database.is_local else FaultRows(database))
        control = Control(settings, self.token, faults)

        async def answers(scope: Scope, receive: Receive, send: Send) -> bool:
            await shared.let_in()
            return await control.answers(scope, receive, send) or await faults.answers(scope, send)

        def pages(desk: Desk) -> MorePages:
            made: MorePages = import_module("rollbook.demo.demo_pages").make(desk, self, control)
            return made

        return Extension(answers, pages, lambda: shared.restored_at, shared.close)


def run(
    settings: Settings,
    demo: Demo,
    *,
    when_ready: Callable[[], None] | None = None,
    tls: tuple[Path, Path] | None = None,
) -> None:
    """Serve the demo until interrupted; `when_ready` is called once requests are taken. `tls`: certificate and key."""
    os.environ.update({TOKEN: demo.token, BASIC: demo.basic, DISTRICT: demo.district_name})
    folder = demo_folder.of(settings)
    # The rate limits and faults of a server end with it.
    for name in (LIMITS, STATE):
        (folder / name).unlink(missing_ok=True)
    server.run(settings, f"{__name__}:create_app", when_ready=when_ready, limits=folder / LIMITS, tls=tls)


def create_app() -> App:
    """The application of one worker process, from its environment."""
    demo = Demo(os.environ[TOKEN], os.environ[BASIC], os.environ[DISTRICT])
    return server.create_app(demo.extend)
