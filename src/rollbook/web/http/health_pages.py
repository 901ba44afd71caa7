"""`/health`, `/ready` and `/metrics`, for load balancers and monitoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rollbook import __version__, urls
from rollbook.operations import readiness
from rollbook.operations.readiness import Readiness
from rollbook.settings import Settings
from rollbook.store.engine.database import Database
from rollbook.store.work import job_queue, measures
from rollbook.web.http import metrics_text
from rollbook.web.http.draining import is_draining
from rollbook.web.http.metrics_text import Sample, family
from rollbook.web.http.request_counts import RequestCounts

NO_STORE = {"Cache-Control": "no-store"}
# What proxies add to a request, besides X-Forwarded-For and its like.
FORWARDED = frozenset(("forwarded", "via", "x-real-ip"))


class HealthPages:
    """The pages of one worker; they report on all workers."""

    def __init__(self, database: Database, settings: Settings, counts: RequestCounts) -> None:
        self._database, self._settings, self._counts = database, settings, counts
        self._networks = urls.networks(settings.metrics_networks)

    def routes(self) -> list[Route]:
        return [
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/metrics", self._metrics),
        ]

    async def _health(self, _: Request) -> Response:
        """Whether the process answers at all."""
        return JSONResponse({"status": "ok"}, headers=NO_STORE)

    def _ready(self, _: Request) -> Response:
        """Whether the process can answer requests for data: 200, else 503."""
        found = self._look()
        return JSONResponse(found.as_json(), 200 if found.is_ready else 503, headers=NO_STORE)

    def _look(self) -> Readiness:
        return replace(readiness.look(self._database), is_draining=is_draining(self._counts.folder))

    def _metrics(self, request: Request) -> Response:
        """All figures, for callers in `metrics_networks`."""
        if not self._may_read(request):
            return PlainTextResponse(
                "Not shown to this address; ROLLBOOK_METRICS_NETWORKS names who may read it.\n", 403, NO_STORE
            )
        body = "\n".join((*self._lines(), ""))
        return Response(body, headers=NO_STORE, media_type=metrics_text.CONTENT_TYPE)

    def _may_read(self, request: Request) -> bool:
        # Behind an untrusted proxy, every stranger has the proxy's address.
        is_forwarded = any(name in FORWARDED or name.startswith("x-forwarded-") for name in request.headers)
        if request.client is None or (is_forwarded and not self._settings.trusted_proxies):
            return False
        try:
            caller = ip_address(request.client.host)
        except ValueError:
            return False
        return any(caller in network for network in self._networks)

    def _lines(self) -> Iterator[str]:
        counts, gauges = self._counts.totals()
        yield from family("rollbook_info", "gauge", "The version.", [({"version": __version__}, 1)])
        yield from metrics_text.requests(counts)
        for name, value in sorted(gauges.items()):
            help_text, of = GAUGES.get(name, ("Processes that answer requests.", "rollbook_workers"))
            yield from family(of, "gauge", help_text, [({}, value)])
        ready = self._look()
        yield from family(
            "rollbook_ready", "gauge", "Whether requests can be answered.", [({}, ready.is_ready)]
        )
        if ready.has_data:
            yield from self._of_database()

    def _of_database(self) -> Iterator[str]:
        with self._database.read() as transaction:
            size, found = measures.bytes_of_database(transaction), measures.districts(transaction)
            queue, ended = job_queue.counts(transaction), measures.jobs(transaction)
            waiting, wait = measures.waiting(transaction)
        yield from family("rollbook_database_bytes", "gauge", "Size of the database.", [({}, size)])
        queued: list[Sample] = [
            ({"kind": kind, "state": state}, number) for (kind, state), number in sorted(queue.items())
        ]
        yield from family("rollbook_jobs", "gauge", "Jobs that the queue tells of.", queued)
        yield from family("rollbook_jobs_due", "gauge", "Jobs that wait for a worker.", [({}, waiting)])
        yield from family(
            "rollbook_job_wait_seconds", "gauge", "How long the oldest of them waits.", [({}, wait)]
        )
        of_jobs = [({"kind": each.kind, "state": each.state}, each) for each in ended]
        yield from family(
            "rollbook_jobs_ended",
            "gauge",
            "Jobs that ended of late.",
            ((labels, each.ended) for labels, each in of_jobs),
        )
        yield from family(
            "rollbook_job_seconds",
            "gauge",
            "How long they took in all.",
            ((labels, each.seconds) for labels, each in of_jobs),
        )
        named: list[Mapping[str, object]] = [{"district": each.name, "id": each.id} for each in found]
        yield from family(
            "rollbook_district_state",
            "gauge",
            "Each district, with its state and the state of its last run.",
            [
                ({**labels, "state": each.state, "run": each.run_state}, 1)
                for labels, each in zip(named, found, strict=True)
            ],
        )
        yield from family(
            "rollbook_district_last_sync_seconds",
            "gauge",
            "How long ago the last sync was committed.",
            [
                (labels, each.sync_seconds_ago)
                for labels, each in zip(named, found, strict=True)
                if each.sync_seconds_ago is not None
            ],
        )


# The figures of each worker: help and name.
GAUGES = {
    "pages": ("Answers kept ready.", "rollbook_kept_answers"),
    "page_bytes": ("Bytes of answers kept ready.", "rollbook_kept_answer_bytes"),
    "pool_size": ("Connections to PostgreSQL.", "rollbook_pool_connections"),
    "pool_waiting": ("Requests that wait for such a connection.", "rollbook_pool_waiting"),
}
