"""Figures in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rollbook.web.http.request_counts import BOUNDS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
Sample = tuple[Mapping[str, object], float]


def family(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of one figure: its description, and its value for each set of labels."""
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
    yield from (f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples)


def requests(counts: Mapping[tuple[str, int], list[float]]) -> Iterator[str]:
    """Requests by path and status: their number, time and bytes."""
    ordered = sorted(counts.items())
    labelled = [({"path": path, "status": status}, row) for (path, status), row in ordered]
    yield from family(
        "rollbook_requests_total",
        "counter",
        "Requests answered.",
        ((labels, row[-3]) for labels, row in labelled),
    )
    yield from family(
        "rollbook_answer_bytes_total",
        "counter",
        "Bytes of bodies, as their length was announced.",
        ((labels, row[-1]) for labels, row in labelled),
    )
    name = "rollbook_request_seconds"
    yield f"# HELP {name} Time from a request to the beginning of its answer."
    yield f"# TYPE {name} histogram"
    by_path: dict[str, list[float]] = {}
    for (path, _), row in ordered:
        before = by_path.get(path, [0] * len(row))
        by_path[path] = [old + new for old, new in zip(before, row, strict=True)]
    for path, row in by_path.items():
        reached = 0.0
        for bound, number in zip((*map(_number, BOUNDS), "+Inf"), row, strict=False):
            reached += number
            yield f"{name}_bucket{_labels({'path': path, 'le': bound})} {_number(reached)}"
        yield f"{name}_sum{_labels({'path': path})} {_number(row[-2])}"
        yield f"{name}_count{_labels({'path': path})} {_number(row[-3])}"


def _labels(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    return (
        "{" + ",".join(f'{name}="{str(value).translate(_ESCAPED)}"' for name, value in labels.items()) + "}"
    )


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
