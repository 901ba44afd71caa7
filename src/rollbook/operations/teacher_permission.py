"""A teacher's permission for a Library application to see their classes: given, or withdrawn."""

from __future__ import annotations

from rollbook.store.accounts import audit, logins
from rollbook.store.accounts.logins import Session
from rollbook.store.district.districts import timestamp
from rollbook.store.engine.database import Database


def allow(database: Database, application: int, session: Session, *, address: str) -> None:
    """Let an application (by its number) see the classes of the teacher who is signed in.

    If the session has ended meanwhile, nothing is written. `address` is the teacher's, for the audit trail.
    """
    with database.write() as transaction:
        if not logins.is_open(transaction, session):
            return
        logins.allow(transaction, application, session.district, session.user_id, timestamp())
        audit.record(
            transaction,
            "application allowed by teacher",
            district=session.district,
            application=application,
            user_id=session.user_id,
            address=address,
        )


def withdraw(database: Database, application: int, session: Session, *, address: str) -> None:
    """Withdraw a teacher's permission: the teacher's tokens end, and those of students."""
    pair = (application, session.district)
    with database.write() as transaction:
        logins.disallow(transaction, *pair, session.user_id)
        audit.record(
            transaction,
            "permission of teacher withdrawn",
            district=session.district,
            application=application,
            user_id=session.user_id,
            address=address,
        )
    with database.write() as transaction:  # a second time, for a code that was being issued meanwhile
        logins.disallow(transaction, *pair, session.user_id)
