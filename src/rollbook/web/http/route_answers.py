"""Answers as the routes of the site return them."""

from __future__ import annotations

from starlette.responses import Response

from rollbook.web.http.answers import Answer, every_answer


def as_response(answer: Answer) -> Response:
    """The answer as a route of Starlette returns it."""
    response = with_headers(Response(answer.body, answer.status))
    response.raw_headers.extend(answer.headers)
    return response


def with_headers(response: Response) -> Response:
    """The response, with the headers of every API answer."""
    response.raw_headers.extend(every_answer())
    return response
