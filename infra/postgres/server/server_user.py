"""The user that runs PostgreSQL if the engine runs as root, and how that user reaches its files."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

_GROUP_BITS = 0o070
_GROUP_MAY_PASS = 0o010


class ServerFilesUnreachable(Exception):
    """The user that runs PostgreSQL can't pass a folder above its files."""

    def __init__(self, folder: Path, user: str) -> None:
        super().__init__(
            f"PostgreSQL refuses to run as root, and the user {user} that runs it instead can't pass {folder}. "
            f"Choose another --data-dir such as /var/lib/r3edge, run the engine as an ordinary user, "
            f"or allow it by: chmod o+x {folder}"
        )


@dataclass(frozen=True, slots=True)
class ServerUser:
    """An account of the machine that isn't root."""

    name: str
    uid: int
    gid: int


def server_user(cluster: Path) -> ServerUser | None:
    """Return the user to run PostgreSQL as; None (the engine's own) unless that is root.

    An existing cluster keeps its owner; a new one goes to the machine's `postgres`, or to `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and cluster.stat().st_uid != 0:
        owner = cluster.stat()
        return ServerUser(f"number {owner.st_uid}", owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise RuntimeError("PostgreSQL refuses to run as root and this machine has neither a user 'postgres' nor 'nobody'.")


def own(path: Path, user: ServerUser) -> None:
    """Give a file or a folder to the user."""
    os.chown(path, user.uid, user.gid)


def make_reachable(folder: Path, user: ServerUser) -> None:
    """Let `user` pass every folder from the root down to `folder`; raises `ServerFilesUnreachable` if that can't be.

    A private folder on the way, such as root's home, is given to the user's group, whose members may then pass it and
    neither list nor read it.
    """
    resolved = folder.resolve()
    if _may_pass(resolved, user):
        return
    for ancestor in (*reversed(resolved.parents), resolved):
        if not _may_pass(ancestor, user):
            _open_to_group(ancestor, user)


def _may_pass(folder: Path, user: ServerUser) -> bool:
    """Ask the kernel, as `user`: permission bits alone don't show it, since there may be access control entries."""
    test = ["/bin/sh", "-c", 'test -x "$0"', str(folder)]
    # Without the variables of the engine: a library that LD_PRELOAD names may be one that the user can't use.
    done = subprocess.run(test, user=user.uid, group=user.gid, extra_groups=[], env={}, check=False)  # noqa: S603  # fixed command
    return done.returncode == 0


def _open_to_group(folder: Path, user: ServerUser) -> None:
    mode = folder.stat().st_mode
    if mode & _GROUP_BITS:  # another group has permissions here, and would lose them
        raise ServerFilesUnreachable(folder, user.name)
    try:
        os.chown(folder, -1, user.gid)
        folder.chmod(mode | _GROUP_MAY_PASS)
    except OSError as error:
        raise ServerFilesUnreachable(folder, user.name) from error
