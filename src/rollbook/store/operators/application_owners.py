"""The owners of an application: the developers who see and change it."""

from __future__ import annotations

from rollbook.store.engine.database import Transaction


def add(transaction: Transaction, application: int, operator: int) -> None:
    """Make a person (by number) an owner of an application (by number)."""
    transaction.run(
        "INSERT INTO application_owners (application, operator) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (application, operator),
    )


def drop(transaction: Transaction, application: int, operator: int) -> bool:
    """End the ownership; False if there was none."""
    gone = transaction.row(
        "DELETE FROM application_owners WHERE application = ? AND operator = ? RETURNING application",
        (application, operator),
    )
    return gone is not None


def owned_by(transaction: Transaction, operator: int) -> set[int]:
    """The applications (by number) of a person."""
    rows = transaction.rows("SELECT application FROM application_owners WHERE operator = ?", (operator,))
    return {number for (number,) in rows}


def names(transaction: Transaction, application: int) -> list[str]:
    """The names of an application's owners."""
    rows = transaction.rows(
        "SELECT o.name FROM application_owners a JOIN operators o ON o.number = a.operator"
        " WHERE a.application = ? ORDER BY o.name",
        (application,),
    )
    return [name for (name,) in rows]
