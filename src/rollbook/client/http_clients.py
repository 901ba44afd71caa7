"""The client on httpx: one class that blocks, and one with `await`. Both carry out the same plans."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from rollbook import __version__
from rollbook.client import copy_plans, reading_plans
from rollbook.client.client_errors import BadArgument
from rollbook.client.conversation import (
    ANSWER_BYTES_MAX,
    Ask,
    Broken,
    Conversation,
    Give,
    Oversize,
    Plan,
    Reply,
    Step,
    Wait,
)
from rollbook.client.copy_plans import Update
from rollbook.client.local_copies import LocalCopy
from rollbook.client.reading_plans import Event, Page, path_of
from rollbook.client.record_types import KINDS, R, Record

try:
    import httpx
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("rollbook.client needs httpx: pip install httpx") from missing

T = TypeVar("T")
# The server may need a long time to make a page of 10,000 records.
TIMEOUT = httpx.Timeout(10.0, read=600.0)
AGENT = {"user-agent": f"rollbook-client/{__version__}"}


class _Requests:
    """What both clients can do, as plans."""

    def __init__(
        self, base_url: str, token: str, version: str, page_size: int | None, bytes_max: int
    ) -> None:
        self._talk = Conversation(base_url, token, version, page_size)
        if bytes_max < 1:
            raise BadArgument("", f"answer_bytes_max: expected 1 or more, got {bytes_max}")
        self._bytes_max = bytes_max

    def _one(self, kind: type[R], *parts: str) -> Plan[R]:
        return reading_plans.record(self._talk, kind, path_of(kind, *parts))

    def _pages(self, kind: type[R], path: str, query: dict[str, object]) -> Plan[None]:
        return reading_plans.pages(self._talk, kind, path, query)

    def _belonging(self, owner: Record, tail: str) -> str:
        return path_of(type(owner), owner.id, tail)


class Client(_Requests):
    """Reads a server of this API with one token, and blocks until each answer comes.

    `version` is the part of the path. `page_size` sets `limit`; the default is the largest size that the
    server accepts. A larger answer than `answer_bytes_max` is an error. `http` is your own httpx client
    (proxies, authorities), which you close yourself. `sleep` waits.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        version: str = "v3.0",
        page_size: int | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        http: httpx.Client | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(base_url, token, version, page_size, answer_bytes_max)
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._owns_http, self._sleep = http is None, sleep

    def close(self) -> None:
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def records(self, kind: type[R], **query: object) -> Iterator[R]:
        """Every record of a kind, such as `records(User, role="teacher")`."""
        return (one for page in self.pages(kind, **query) for one in page.records)

    def pages(self, kind: type[R], **query: object) -> Iterator[Page[R]]:
        """The same, page by page."""
        return self._each(self._pages(kind, path_of(kind), query))

    def record(self, kind: type[R], id_: str) -> R:
        """The record of an id. Errors: NotFound."""
        return self._run(self._one(kind, id_))

    def related(self, owner: Record, tail: str, kind: type[R], **query: object) -> Iterator[R]:
        """Every record that belongs to another one: `related(section, "users", User, role="student")`."""
        pages: Iterator[Page[R]] = self._each(self._pages(kind, self._belonging(owner, tail), query))
        return (one for page in pages for one in page.records)

    def related_one(self, owner: Record, tail: str, kind: type[R]) -> R:
        """The one record that another one belongs to: `related_one(section, "school", School)`."""
        return self._run(reading_plans.record(self._talk, kind, self._belonging(owner, tail)))

    def count(self, kind: type[Record], **query: object) -> int:
        """How many records of a kind there are."""
        return self._run(reading_plans.count(self._talk, kind, query))

    def events(self, after: str | None = None, **query: object) -> Iterator[Event]:
        """Every event after one, oldest first; without one, all that the server keeps."""
        plan = reading_plans.events(self._talk, {**query, "starting_after": after})
        return (event for events in self._each(plan) for event in events)

    def newest_event(self) -> str:
        """The id of the last event; "" if there is none."""
        return self._run(reading_plans.newest_event(self._talk))

    def pull(self, copy: LocalCopy, kinds: Iterable[type[Record]] = KINDS) -> Update:
        """Read everything into a copy."""
        return self._run(copy_plans.pull(self._talk, copy, tuple(kinds)))

    def update(self, copy: LocalCopy, kinds: Iterable[type[Record]] | None = None) -> Update:
        """Make a copy, or bring it up to date: by events if the feed still has all of them, else by a full
        pull."""
        chosen = None if kinds is None else tuple(kinds)
        return self._run(copy_plans.update(self._talk, copy, chosen))

    # Steps -----------------------------------------------------------------------------------------

    def _run(self, plan: Plan[T]) -> T:
        outcome = None
        try:
            while True:
                outcome = self._carry_out(plan.send(outcome))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            plan.close()

    def _each(self, plan: Plan[None]) -> Iterator[Any]:
        outcome = None
        try:
            while True:
                step = plan.send(outcome)
                if isinstance(step, Give):
                    yield step.value
                outcome = self._carry_out(step)
        except StopIteration:
            return
        finally:
            plan.close()

    def _carry_out(self, step: Step) -> Any:
        if isinstance(step, Ask):
            try:
                with self._http.stream("GET", step.url, headers={**AGENT, **step.headers}) as answer:
                    body = _Body(self._bytes_max)
                    return (
                        body.reply(answer)
                        if all(map(body.takes, answer.iter_bytes()))
                        else body.refusal(answer)
                    )
            except httpx.RequestError as error:
                return Broken(_reason(error))
        if isinstance(step, Wait):
            return self._sleep(step.seconds)
        return None if isinstance(step, Give) else step.call()


class AsyncClient(_Requests):
    """The same with `await` and `async for`, on asyncio; a copy is written in a thread."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        version: str = "v3.0",
        page_size: int | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        http: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        super().__init__(base_url, token, version, page_size, answer_bytes_max)
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT)
        self._owns_http, self._sleep = http is None, sleep

    async def close(self) -> None:
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def records(self, kind: type[R], **query: object) -> AsyncIterator[R]:
        """Every record of a kind, such as `records(User, role="teacher")`."""
        return _flat(self.pages(kind, **query))

    def pages(self, kind: type[R], **query: object) -> AsyncIterator[Page[R]]:
        """The same, page by page."""
        return self._each(self._pages(kind, path_of(kind), query))

    async def record(self, kind: type[R], id_: str) -> R:
        """The record of an id. Errors: NotFound."""
        return await self._run(self._one(kind, id_))

    def related(self, owner: Record, tail: str, kind: type[R], **query: object) -> AsyncIterator[R]:
        """Every record that belongs to another one: `related(section, "users", User, role="student")`."""
        return _flat(self._each(self._pages(kind, self._belonging(owner, tail), query)))

    async def related_one(self, owner: Record, tail: str, kind: type[R]) -> R:
        """The one record that another one belongs to: `related_one(section, "school", School)`."""
        return await self._run(reading_plans.record(self._talk, kind, self._belonging(owner, tail)))

    async def count(self, kind: type[Record], **query: object) -> int:
        """How many records of a kind there are."""
        return await self._run(reading_plans.count(self._talk, kind, query))

    async def events(self, after: str | None = None, **query: object) -> AsyncIterator[Event]:
        """Every event after one, oldest first; without one, all that the server keeps."""
        async for events in self._each(reading_plans.events(self._talk, {**query, "starting_after": after})):
            for event in events:
                yield event

    async def newest_event(self) -> str:
        """The id of the last event; "" if there is none."""
        return await self._run(reading_plans.newest_event(self._talk))

    async def pull(self, copy: LocalCopy, kinds: Iterable[type[Record]] = KINDS) -> Update:
        """Read everything into a copy."""
        return await self._run(copy_plans.pull(self._talk, copy, tuple(kinds)))

    async def update(self, copy: LocalCopy, kinds: Iterable[type[Record]] | None = None) -> Update:
        """Make a copy, or bring it up to date: by events if the feed still has all of them, else by a full
        pull."""
        chosen = None if kinds is None else tuple(kinds)
        return await self._run(copy_plans.update(self._talk, copy, chosen))

    # Steps -----------------------------------------------------------------------------------------

    async def _run(self, plan: Plan[T]) -> T:
        outcome = None
        try:
            while True:
                outcome = await self._carry_out(plan.send(outcome))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            plan.close()

    async def _each(self, plan: Plan[None]) -> AsyncIterator[Any]:
        outcome = None
        try:
            while True:
                try:
                    step = plan.send(outcome)
                except StopIteration:
                    return
                if isinstance(step, Give):
                    yield step.value
                outcome = await self._carry_out(step)
        finally:
            plan.close()

    async def _carry_out(self, step: Step) -> Any:
        if isinstance(step, Ask):
            try:
                async with self._http.stream("GET", step.url, headers={**AGENT, **step.headers}) as answer:
                    body = _Body(self._bytes_max)
                    async for chunk in answer.aiter_bytes():
                        if not body.takes(chunk):
                            return body.refusal(answer)
                    return body.reply(answer)
            except httpx.RequestError as error:
                return Broken(_reason(error))
        if isinstance(step, Wait):
            return await self._sleep(step.seconds)
        return None if isinstance(step, Give) else await asyncio.to_thread(step.call)


async def _flat(pages: AsyncIterator[Page[R]]) -> AsyncIterator[R]:
    async for page in pages:
        for one in page.records:
            yield one


class _Body:
    """The body of one answer, as it comes; it takes so many bytes, counted after decompression."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = self._left = bytes_max
        self._chunks: list[bytes] = []

    def takes(self, chunk: bytes) -> bool:
        self._left -= len(chunk)
        self._chunks.append(chunk)
        return self._left >= 0

    def reply(self, answer: httpx.Response) -> Reply:
        return Reply(answer.status_code, answer.headers, b"".join(self._chunks))

    def refusal(self, answer: httpx.Response) -> Oversize:
        return Oversize(answer.status_code, self._bytes_max)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
