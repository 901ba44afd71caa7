"""Both clients behind one function, so that each test is about both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from rollbook.client import AsyncClient, Client
from rollbook.client.conversation import ANSWER_BYTES_MAX

# ask(address, token, method, *arguments, **query): the result of the method, or a list of what it iterates
# over.
Asking = Callable[..., Any]


class Waits(list[float]):
    """The seconds that a client wanted to wait; it waits for none of them."""

    def sleep(self, seconds: float) -> None:
        self.append(seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.append(seconds)


def sync(
    address: str,
    token: str,
    method: str,
    *arguments: Any,
    waits: Waits | None = None,
    bound: int = ANSWER_BYTES_MAX,
    **query: Any,
) -> Any:
    sleep = (waits if waits is not None else Waits()).sleep
    with Client(address, token, answer_bytes_max=bound, sleep=sleep) as client:
        outcome = getattr(client, method)(*arguments, **query)
        return [*outcome] if inspect.isgenerator(outcome) else outcome


def with_await(
    address: str,
    token: str,
    method: str,
    *arguments: Any,
    waits: Waits | None = None,
    bound: int = ANSWER_BYTES_MAX,
    **query: Any,
) -> Any:
    async def run() -> Any:
        sleep = (waits if waits is not None else Waits()).sleep_async
        async with AsyncClient(address, token, answer_bytes_max=bound, sleep=sleep) as client:
            outcome = getattr(client, method)(*arguments, **query)
            return [each async for each in outcome] if inspect.isasyncgen(outcome) else await outcome

    return asyncio.run(run())


BOTH: dict[str, Asking] = {"sync": sync, "async": with_await}
