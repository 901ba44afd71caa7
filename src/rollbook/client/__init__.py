"""A typed client of the API, for Rollbook and for any other server that speaks it.

    with Client("http://127.0.0.1:8400", "TEST_TOKEN") as client:
        for teacher in client.records(User, role="teacher"):
            print(teacher.name)

It needs httpx: `pip install httpx`.
"""

from rollbook.client.client_errors import (
    AnswerTooLarge,
    BadArgument,
    BadRequest,
    ClientError,
    Forbidden,
    NoAnswer,
    NotFound,
    RateLimited,
    RequestFailed,
    ServerFailed,
    TooLarge,
    Unauthorized,
    UnexpectedAnswer,
)
from rollbook.client.copy_plans import Update
from rollbook.client.http_clients import AsyncClient, Client
from rollbook.client.local_copies import LocalCopy, MemoryCopy, SqliteCopy
from rollbook.client.reading_plans import Event, Page
from rollbook.client.record_types import (
    KINDS,
    Course,
    District,
    Record,
    Resource,
    School,
    Section,
    Term,
    User,
)

__all__ = [
    "KINDS",
    "AnswerTooLarge",
    "AsyncClient",
    "BadArgument",
    "BadRequest",
    "Client",
    "ClientError",
    "Course",
    "District",
    "Event",
    "Forbidden",
    "LocalCopy",
    "MemoryCopy",
    "NoAnswer",
    "NotFound",
    "Page",
    "RateLimited",
    "Record",
    "RequestFailed",
    "Resource",
    "School",
    "Section",
    "ServerFailed",
    "SqliteCopy",
    "Term",
    "TooLarge",
    "Unauthorized",
    "UnexpectedAnswer",
    "Update",
    "User",
]
