"""Whether the server can take requests: one answer for `/ready` and for `rollbook status`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rollbook.errors import RollbookError
from rollbook.operations import daily_backups
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database
from rollbook.store.operators import deliveries
from rollbook.store.work import measures

# After so many seconds, a due job needs attention: no worker runs, or too few.
WAIT_SECONDS_MAX = 900


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a server needs: its database with a complete schema, and the time that jobs wait for a worker."""

    database: str
    schema: int = 0
    schema_known: int = 0
    schema_needed: int = 0
    jobs_waiting: int = 0
    oldest_wait_seconds: int = 0
    is_draining: bool = False
    backup_trouble: str = ""
    delivery_trouble: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether the server can answer requests, and goes on doing so."""
        return self.has_data and not self.is_draining

    @property
    def has_data(self) -> bool:
        """Whether the database can be used: its schema is whole, and no later version changed what this one reads."""
        return self.database == "ok" and self.schema_needed <= self.schema_known <= self.schema

    @property
    def troubles(self) -> list[str]:
        """What needs an operator's attention, as sentences."""
        if self.database != "ok":
            return ["the database cannot be reached"]
        found = ["the server was stopped, and takes its last requests"] if self.is_draining else []
        if self.schema < self.schema_known:
            found.append(
                f"the database has schema {self.schema}, and this version needs {self.schema_known}: restart the server"
            )
        if self.schema_needed > self.schema_known:
            found.append(
                f"a later version of Rollbook changed the database (schema {self.schema}; this one knows"
                f" {self.schema_known}): restart the server with that version"
            )
        if self.oldest_wait_seconds > WAIT_SECONDS_MAX:
            found.append(
                f"{self.jobs_waiting} jobs wait for a worker, the oldest for {self.oldest_wait_seconds // 60} minutes;"
                " start one with `rollbook work`"
            )
        return [*found, *filter(None, (self.backup_trouble, self.delivery_trouble))]

    def as_json(self) -> dict[str, object]:
        return {"is_ready": self.is_ready, **asdict(self), "troubles": self.troubles}


def look(database: Database) -> Readiness:
    """The current readiness. An unreachable database is a state, not an error."""
    try:
        with database.read() as transaction:
            schema = migrations.schema(transaction)
            if not schema.needed <= schema.known <= schema.last:
                return Readiness("ok", *schema)
            waiting, seconds = measures.waiting(transaction)
            backup, delivery = daily_backups.trouble(transaction), deliveries.trouble(transaction)
    except RollbookError:
        return Readiness("away")
    return Readiness("ok", *schema, waiting, int(seconds), backup_trouble=backup, delivery_trouble=delivery)
