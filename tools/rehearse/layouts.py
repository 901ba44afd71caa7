"""The layouts, each with what is broken in it while clients read and a sync writes."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tools.rehearse.clients import Readers, Writer, begin
from tools.rehearse.programs import Machines, Program, answers, find, free_port, is_primary, until

STUDENTS = 200
QUIET_SECONDS = 5
DRAIN_SECONDS = 3
WEB = """
defaults
  mode http
  timeout connect 2s
  timeout client 90s
  timeout server 90s
  retries 3
  option redispatch
frontend web
  bind 127.0.0.1:{port}
  default_backend servers
  http-error status 503 content-type application/json string "{}" hdr Retry-After 5
backend servers
  option httpchk GET /ready
  retry-on conn-failure empty-response
  http-request disable-l7-retry unless METH_GET
  default-server check inter 500ms fall 1 rise 1
"""
PRIMARY = """
defaults
  mode tcp
  timeout connect 2s
  timeout client 10m
  timeout server 10m
listen primary
  bind 127.0.0.1:{port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server check inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
"""
NODE = """
scope: rollbook
name: {name}
restapi: {{listen: "127.0.0.1:{api}", connect_address: "127.0.0.1:{api}"}}
etcd3: {{hosts: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs: {{ttl: 20, loop_wait: 2, retry_timeout: 5, maximum_lag_on_failover: 1048576, synchronous_mode: true}}
  initdb: [{{encoding: UTF8}}, {{auth: trust}}]
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {folder}/{name}
  bin_dir: {programs}
  pgpass: {folder}/{name}.pgpass
  authentication: {{superuser: {{username: postgres}}, replication: {{username: postgres}}}}
  parameters: {{unix_socket_directories: {folder}}}
"""


@dataclass
class Rehearsal:
    """A layout under load: its clients, and lines that its table alone does not say."""

    readers: Readers
    writer: Writer
    notes: list[str]


@contextmanager
def under_load(port: int, token: str, writer: Writer) -> Iterator[Rehearsal]:
    """Readers and a writer, first for a while without any trouble."""
    found = Rehearsal(Readers(port, token), writer, [])
    with found.readers, writer:
        with found.readers.phase("all is well"):
            time.sleep(QUIET_SECONDS)
        yield found
    lost = writer.lost()
    found.notes.append(
        f"{len(writer.committed)} syncs were committed under load, {len(writer.refused)} failed; "
        f"{len(lost)} committed ones were lost"
    )
    kinds = Counter(kind for seen in found.readers.phases for kind in seen.failed)
    found.notes += [f"{count} requests failed with {kind}" for kind, count in kinds.most_common()]
    found.notes += [f"a sync said: {text}" for text in sorted(set(writer.refused))]


def _prepared(machines: Machines, database: str) -> tuple[Writer, str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("ROLLBOOK_")}
    environment = {**outside, "ROLLBOOK_KEY_FILE": str(machines.folder / "key")}
    return begin(database, machines.folder, environment, STUDENTS)


def one_machine(machines: Machines) -> Rehearsal:
    """One server over a SQLite file. Nothing stands before it, so clients see its restart."""
    database = str(machines.folder / "rollbook.db")
    writer, token = _prepared(machines, database)
    server, port = machines.rollbook(database, workers=2)
    with under_load(port, token, writer) as found:
        for name, end in (("restart", server.stop), ("kill -9 and start", server.kill)):
            with found.readers.phase(name):
                begun = time.monotonic()
                end()
                server.start()
                until(lambda: answers(f"http://127.0.0.1:{port}/ready"), "Rollbook")
                found.notes.append(f"{name}: ready again after {time.monotonic() - begun:.1f} s")
        with found.readers.phase("afterwards"):
            time.sleep(QUIET_SECONDS)
    return found


def two_servers(machines: Machines) -> Rehearsal:
    """Two servers behind HAProxy, over PgBouncer and PostgreSQL, restarted one after the other."""
    _, direct = machines.postgresql("primary")
    database = machines.pgbouncer(urlsplit(direct).port or 0)
    writer, token = _prepared(machines, database)
    servers = [machines.rollbook(database, drain_seconds=DRAIN_SECONDS) for _ in range(2)]
    port = _balancer(machines, [port for _, port in servers])
    with under_load(port, token, writer) as found:
        for number, (server, own) in enumerate(servers, start=1):
            with found.readers.phase(f"restart of server {number}"):
                _restart(server, own)
        with found.readers.phase("kill -9 of server 1"):
            servers[0][0].kill()
            time.sleep(QUIET_SECONDS)
            servers[0][0].start()
            until(lambda: answers(f"http://127.0.0.1:{servers[0][1]}/ready"), "Rollbook")
        with found.readers.phase("afterwards"):
            time.sleep(QUIET_SECONDS)
    return found


def _balancer(machines: Machines, ports: list[int]) -> int:
    lines = [f"  server server{number} 127.0.0.1:{port}\n" for number, port in enumerate(ports)]
    port = machines.haproxy("web", WEB + "".join(lines))
    until(lambda: answers(f"http://127.0.0.1:{port}/ready"), "HAProxy")
    return port


def _restart(server: Program, port: int) -> None:
    """As `systemctl restart` does; then wait until the balancer has seen it."""
    server.stop()
    server.start()
    until(lambda: answers(f"http://127.0.0.1:{port}/ready"), "Rollbook")
    time.sleep(2)


def replica(machines: Machines) -> Rehearsal:
    """Two servers that read from a streaming replica, which lags, goes away and comes back."""
    _, primary = machines.postgresql("primary")
    writer, token = _prepared(machines, primary)
    follower, address = machines.postgresql("replica", of=urlsplit(primary).port or 0)
    settings = {"read_database": address, "drain_seconds": DRAIN_SECONDS}
    port = _balancer(machines, [machines.rollbook(primary, **settings)[1] for _ in range(2)])
    with under_load(port, token, writer) as found:
        share = _share_of(address, primary)
        found.notes.append(f"before the lag, {share:.0f} % of the rows of pages came from the replica")
        with found.readers.phase("the replica lags"):
            _tell(address, "SELECT pg_wal_replay_pause()")
            time.sleep(2 * QUIET_SECONDS)
            _tell(address, "SELECT pg_wal_replay_resume()")
        with found.readers.phase("the replica is killed"):
            follower.kill()
            time.sleep(QUIET_SECONDS)
        with found.readers.phase("it comes back"):
            follower.start()
            time.sleep(QUIET_SECONDS)
    return found


def _tell(address: str, sql: str) -> object:
    with psycopg.connect(address, autocommit=True) as connection:
        return connection.execute(sql.encode()).fetchone()


def _share_of(replica: str, primary: str) -> float:
    """The percentage of rows of records that a replica has read by index for pages."""
    sql = "SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE relname = 'records'"

    def read() -> list[float]:
        return [float(str(_tell(address, sql)[0])) for address in (replica, primary)]  # type: ignore[index]

    before = read()
    time.sleep(QUIET_SECONDS)
    there, here = (after - was for was, after in zip(before, read(), strict=True))
    return 100 * there / max(there + here, 1)


def failover(machines: Machines) -> Rehearsal:
    """Two servers over a primary and a synchronous replica that Patroni and etcd manage; the primary is lost."""
    etcd = _etcd(machines)
    nodes = [_node(machines, name, etcd) for name in ("one", "two")]
    until(lambda: any(answers(f"http://127.0.0.1:{node.api}/primary") for node in nodes), "a primary")
    until(
        lambda: any(answers(f"http://127.0.0.1:{node.api}/sync") for node in nodes), "a synchronous replica"
    )
    lines = [f"  server {node.name} 127.0.0.1:{node.port} check port {node.api}\n" for node in nodes]
    entry = machines.haproxy("primary", PRIMARY + "".join(lines))
    database = f"postgresql://postgres@127.0.0.1:{entry}/postgres"
    until(lambda: is_primary(database), "a primary behind HAProxy")
    writer, token = _prepared(machines, database)
    port = _balancer(machines, [machines.rollbook(database)[1] for _ in range(2)])
    with under_load(port, token, writer) as found:
        _lose(found, "the primary is killed", _primary(nodes).kill_server, database)
        _settle(nodes)
        _lose(found, "the primary's machine is lost", _primary(nodes).lose, database)
        with found.readers.phase("afterwards"):
            time.sleep(2 * QUIET_SECONDS)
    return found


def _settle(nodes: list[Node]) -> None:
    """Wait for a primary and a synchronous replica."""
    for role in ("primary", "sync"):
        until(lambda: any(node.is_(role) for node in nodes), f"a {role} node")  # noqa: B023 - it is waited for


def _primary(nodes: list[Node]) -> Node:
    return next(node for node in nodes if node.is_("primary"))


def _lose(found: Rehearsal, phase: str, how: Callable[[], None], database: str) -> None:
    """Lose a primary, and note when a session can write again, and when the next sync is committed."""
    with found.readers.phase(phase):
        begun, before = time.monotonic(), len(found.writer.committed)
        how()
        time.sleep(1)
        until(lambda: is_primary(database), "a primary")
        writes = time.monotonic() - begun
        until(lambda: any(at > begun + writes for at, _ in found.writer.committed[before:]), "a sync")
        found.notes.append(
            f"{phase}: writes back after {writes:.1f} s, the next sync committed after"
            f" {found.writer.committed[-1][0] - begun:.1f} s"
        )


@dataclass
class Node:
    """A machine with PostgreSQL under Patroni."""

    name: str
    port: int
    api: int
    program: Program
    data: Path

    def is_(self, role: str) -> bool:
        """Whether Patroni says that the node has a role."""
        return answers(f"http://127.0.0.1:{self.api}/{role}")

    def lose(self) -> None:
        """Kill Patroni and PostgreSQL at once."""
        self.program.kill()
        self.kill_server()

    def kill_server(self) -> None:
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


def _node(machines: Machines, name: str, etcd: int) -> Node:
    port, api, file = free_port(), free_port(), machines.folder / f"{name}.yml"
    programs = Path(find("initdb")).parent
    file.write_text(
        NODE.format(name=name, port=port, api=api, etcd=etcd, folder=machines.folder, programs=programs)
    )
    return Node(name, port, api, machines.run("patroni", file, owner=True), machines.folder / name)


def _etcd(machines: Machines) -> int:
    port, peer = free_port(), free_port()
    own, other = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    machines.run(
        *("etcd", "--data-dir", machines.folder / "etcd", "--listen-client-urls", own),
        *(
            "--advertise-client-urls",
            own,
            "--listen-peer-urls",
            other,
            "--initial-advertise-peer-urls",
            other,
        ),
        *("--initial-cluster", f"default={other}"),
    )
    until(lambda: answers(f"{own}/health"), "etcd")
    return port


LAYOUTS: Mapping[str, tuple[Callable[[Machines], Rehearsal], tuple[str, ...]]] = {
    "one": (one_machine, ()),
    "two": (two_servers, ("haproxy", "pgbouncer", "postgres")),
    "replica": (replica, ("haproxy", "postgres")),
    "failover": (failover, ("haproxy", "postgres", "patroni", "etcd")),
}


def rehearse(name: str, folder: Path) -> Rehearsal:
    """Run a layout from its start to its end; all programs end with it."""
    layout, _ = LAYOUTS[name]
    with ExitStack() as held:
        return layout(Machines(folder, held))
