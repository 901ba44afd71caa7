"""When a connection is read, so that requests that were sent ahead wait outside of the server."""

from __future__ import annotations

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """When a connection is read: never while requests that were sent ahead are held, even if the application
    asks."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()
