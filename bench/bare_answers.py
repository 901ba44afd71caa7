"""A server of bytes in memory: the cost of an answer on uvicorn before an application does anything.

Usage: python -m bench.bare_answers FOLDER PORT
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

Message = dict[str, Any]


def application(folder: Path) -> Callable[..., Awaitable[None]]:
    """The files of a folder as an ASGI application, with only the required headers."""
    bodies = {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}

    async def answer(scope: Message, _: object, send: Callable[[Message], Awaitable[None]]) -> None:
        body = bodies[scope["path"]]
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def main() -> None:
    folder, port = sys.argv[1:]
    uvicorn.run(
        application(Path(folder)),
        port=int(port),
        interface="asgi3",
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
    )


if __name__ == "__main__":
    main()
