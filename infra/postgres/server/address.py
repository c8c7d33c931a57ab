"""Where a database is, in words for its operator: hosts, ports and name, never a user or a password."""

import socket
from urllib.parse import parse_qs, urlsplit

_DEFAULT_PORT = "5432"


def display_address(dsn: str) -> str:
    """Return `host:port[,host:port…]/database` of a DSN."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    hosts = parts.netloc.rpartition("@")[2] or ",".join(query.get("host", ["localhost"]))
    shown = ",".join(host if _has_port(host) else f"{host}:{_DEFAULT_PORT}" for host in hosts.split(","))
    return shown + parts.path


def connection_error_reason(error: BaseException | None) -> str:
    """Return why a server wasn't reached, in words."""
    match error:
        case socket.gaierror():
            return "nobody knows that host"
        case ConnectionRefusedError():
            return "nothing listens there"
        case TimeoutError():
            return "it doesn't answer"
        case None:
            return "the connection broke"
        case _:
            return str(error).partition("\n")[0] or type(error).__name__


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdecimal() and not host.endswith("]")
