"""Checks the database: whether it answers, its version and schema, and the settings on which orders depend."""

import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address

import asyncpg

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from infra.doctor.findings import Finding, error, ok, warning
from infra.postgres.connection import Connection, terminate
from infra.postgres.hosts import PrimaryConnector, display_address, single_hosts
from infra.postgres.migrate import DatabaseIsNewer, head, present_revision
from infra.postgres.pool import connection_error_reason
from infra.runtime.backends import LEASE_CONNECTIONS
from infra.settings import Settings

LEAST_VERSION = 16
SKEW_WARNING = timedelta(seconds=1)
SKEW_ERROR = timedelta(seconds=30)
"""Nodes refuse each other's messages that are older, or of the future."""
OLD_TRANSACTION = timedelta(minutes=5)

_FACTS = """
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_number,
       current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('synchronous_standby_names') AS standbys,
       current_setting('full_page_writes') AS full_page_writes, current_setting('data_checksums') AS data_checksums,
       current_setting('server_encoding') AS encoding, current_setting('transaction_read_only') AS read_only,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections,
       has_schema_privilege(current_user, current_schema(), 'CREATE') AS may_create,
       (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       (SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'r3edge') AS used_by_engine,
       (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS oldest_transaction_seconds,
       (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS encrypted,
       inet_server_addr() IS NULL AS by_socket
"""


class NoDatabase(Exception):
    """There is no database that could be asked; `finding` says why, and what to do."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


@asynccontextmanager
async def reached_database(dsn: str, limit_seconds: float) -> AsyncGenerator[Connection]:
    """Give a connection on which no statement takes longer than the limit; raises `NoDatabase`."""
    where = display_address(dsn)
    try:
        driver = await PrimaryConnector(dsn).connect(
            timeout=limit_seconds,
            command_timeout=limit_seconds,
            server_settings={"application_name": "r3edge doctor"},
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
        raise NoDatabase(_unreachable(where, failure)) from None
    try:
        yield Connection(driver)
    finally:
        # A server that hangs would let a goodbye wait.
        terminate(driver)


def _unreachable(where: str, failure: Exception) -> Finding:
    name, message = "database.reachable", f"{where} can't be reached: {connection_error_reason(failure)}"
    match failure:
        case asyncpg.InvalidAuthorizationSpecificationError():
            advice = "set user and password in R3EDGE_DATABASE_URL, or let the user in by the server's pg_hba.conf"
        case asyncpg.InvalidCatalogNameError():
            advice = "create the database, then run: r3edge migrate"
        case asyncpg.TooManyConnectionsError():
            advice = "raise the server's max_connections, or lower R3EDGE_DATABASE_POOL_SIZE on the nodes"
        case TimeoutError():
            advice = "something takes connections and answers none: look at the server's load, its disk and its log"
        case _:
            advice = "start PostgreSQL, or set R3EDGE_DATABASE_URL to where it listens"
    return error(name, message, advice)


async def check_database(
    connection: Connection, dsn: str, settings: Settings, clock: Clock, *, engine_runs: bool
) -> Sequence[Finding]:
    """Return what was found of a database that answers."""
    try:
        started = time.perf_counter()
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        round_trip = time.perf_counter() - started
        skew = now + timedelta(seconds=round_trip / 2) - clock.now()
        facts = await connection.fetchrow(_FACTS)
        assert facts is not None
        schema = await _schema(connection)
    except Unavailable as failure:
        reason = connection_error_reason(failure.__cause__)
        advice = "look at the server's load, its disk and its log"
        return [error("database.reachable", f"{display_address(dsn)} stopped answering: {reason}", advice)]
    return [
        ok("database.reachable", f"{display_address(dsn)} answers within {round_trip * 1000:.1f} ms"),
        _version(facts),
        schema,
        *_durability(facts),
        *_copies(facts, dsn),
        _writable(facts),
        _encoding(facts),
        _connections(facts, settings, engine_runs=engine_runs),
        _transactions(facts),
        _clock(skew),
        _encryption(facts, dsn),
    ]


def _version(facts: "asyncpg.Record") -> Finding:
    name, message = "database.version", f"PostgreSQL {facts['version']}"
    if facts["version_number"] // 10_000 < LEAST_VERSION:
        return error(name, message, f"move to PostgreSQL {LEAST_VERSION} or newer")
    return ok(name, message)


async def _schema(connection: Connection) -> Finding:
    name = "database.schema"
    try:
        present = await present_revision(connection)
    except DatabaseIsNewer as newer:
        return error(name, str(newer), "run the newer version of the engine")
    if present == head():
        return ok(name, f"the schema is this version's ({present})")
    message = f"the schema is {present or 'not made yet'}, and this version's {head()}"
    return error(name, message, "run: r3edge migrate (with the embedded database, the next start does)")


def _durability(facts: "asyncpg.Record") -> Iterator[Finding]:
    for setting in ("fsync", "full_page_writes"):
        name = f"database.{setting}"
        if facts[setting] == "on":
            yield ok(name, "on")
        else:
            yield error(
                name, facts[setting], f"set {setting} = on: a crash of the machine can lose or break the database"
            )
    name, commits = "database.synchronous_commit", facts["synchronous_commit"]
    if commits == "off":
        yield error(name, commits, "set synchronous_commit = on: a crash can lose orders that were sent to a venue")
    else:
        yield ok(name, commits)
    if facts["data_checksums"] == "off":
        advice = (
            "turn them on by pg_checksums --enable while the server is stopped, to notice a disk that corrupts data"
        )
        yield warning("database.data_checksums", "off", advice)


def _copies(facts: "asyncpg.Record", dsn: str) -> Iterator[Finding]:
    """Of an address with several hosts: whether commits wait until a second one has them."""
    name, standbys = "database.replica", facts["standbys"]
    if standbys:
        yield ok(name, f"commits wait for a replica ({standbys})")
    elif len(single_hosts(dsn)) > 1:
        advice = "see whether a replica follows (patronictl list), and that synchronous_mode is on"
        yield warning(name, "no commit waits for a replica: the primary's disk is the only one that has it", advice)


def _writable(facts: "asyncpg.Record") -> Finding:
    name = "database.writable"
    if facts["read_only"] == "on":
        return error(name, "it is read only: a standby, or so configured", "name the primary in R3EDGE_DATABASE_URL")
    if not facts["may_create"]:
        advice = "grant the user CREATE on the schema: each month needs new partitions"
        return error(name, "the user may not create tables", advice)
    return ok(name, "tables can be written and created")


def _encoding(facts: "asyncpg.Record") -> Finding:
    name, encoding = "database.encoding", facts["encoding"]
    if encoding != "UTF8":
        return error(name, encoding, "create the database with ENCODING 'UTF8' and restore a backup into it")
    return ok(name, encoding)


def _connections(facts: "asyncpg.Record", settings: Settings, *, engine_runs: bool) -> Finding:
    name, free = "database.connections", max(facts["connections"] - facts["used"], 0)
    needed = settings.database_pool_size + LEASE_CONNECTIONS
    if engine_runs:
        needed = max(needed - facts["used_by_engine"], 0)
    message = f"{free} connections are free, and this node may take {needed} more"
    if free < needed:
        advice = "raise the server's max_connections, or lower R3EDGE_DATABASE_POOL_SIZE on the nodes"
        return warning(name, message, advice)
    return ok(name, message)


def _transactions(facts: "asyncpg.Record") -> Finding:
    name, age = "database.transactions", timedelta(seconds=round(facts["oldest_transaction_seconds"]))
    if age > OLD_TRANSACTION:
        advice = (
            "find it in pg_stat_activity and end it: old transactions hold locks, and keep tables from being cleaned"
        )
        return warning(name, f"a transaction has been open for {age}", advice)
    return ok(name, "none has been open for long")


def _clock(skew: timedelta) -> Finding:
    name, message = "database.clock", f"the database's clock is {skew.total_seconds():+.3f} s from this machine's"
    advice = "keep both machines' clocks by NTP or chrony"
    if abs(skew) > SKEW_ERROR:
        return error(name, message, advice)
    return warning(name, message, advice) if abs(skew) > SKEW_WARNING else ok(name, message)


def _encryption(facts: "asyncpg.Record", dsn: str) -> Finding:
    name = "database.encryption"
    if facts["encrypted"]:
        return ok(name, "the connection is encrypted (TLS)")
    if facts["by_socket"] or all(is_local(host) for host in _hosts(dsn)):
        return ok(name, "the connection stays on this machine")
    advice = "add ?sslmode=verify-full to R3EDGE_DATABASE_URL, unless the network is your own"
    return warning(name, "the connection goes over a network unencrypted", advice)


def _hosts(dsn: str) -> list[str]:
    shown = display_address(dsn).partition("/")[0]
    return [host.rpartition(":")[0].strip("[]") for host in shown.split(",")]


def is_local(host: str) -> bool:
    """Return whether a host is this machine itself, by its name or a loopback address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
