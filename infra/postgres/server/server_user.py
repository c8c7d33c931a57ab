"""Who runs PostgreSQL where the engine runs as root, and how that user reaches its files."""

import errno
import os
import pwd
import struct
from dataclasses import dataclass
from pathlib import Path

_ACL = "system.posix_acl_access"
_ACL_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY_ID = 0xFFFFFFFF
_EXECUTE = 1


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
    """Return whom PostgreSQL must run as: None (ourselves) unless we are root.

    An existing cluster keeps its owner; a new one goes to the machine's `postgres`, or to `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and cluster.stat().st_uid != 0:
        owner = cluster.stat()
        return ServerUser(f"number {owner.st_uid}", owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            return _named(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL refuses to run as root and this machine has neither a user 'postgres' nor 'nobody'.")


def make_reachable(folder: Path, user: ServerUser) -> None:
    """Let `user` pass every folder from the root down to `folder`; raises `ServerFilesUnreachable` where that can't be.

    A private folder on the way (a home of root, say) gets one access control entry, which lets this one user pass it
    and neither list nor read it.
    """
    resolved = folder.resolve()
    for ancestor in (*reversed(resolved.parents), resolved):
        if not _may_pass(ancestor, user):
            _allow_passing(ancestor, user)


def _named(name: str) -> ServerUser:
    entry = pwd.getpwnam(name)
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _may_pass(folder: Path, user: ServerUser) -> bool:
    status = folder.stat()
    if status.st_uid == user.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == user.gid:
        return bool(status.st_mode & 0o010)
    # Where there are access control entries the group's bits are the mask of what they allow (acl(5)).
    named = any(tag == _USER and id_ == user.uid and allowed & _EXECUTE for tag, allowed, id_ in _entries(folder))
    return bool(status.st_mode & 0o001) or (named and bool(status.st_mode & 0o010))


def _entries(folder: Path) -> list[tuple[int, int, int]]:
    try:
        packed = os.getxattr(folder, _ACL)
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.ENOTSUP}:
            return []
        raise
    return [(tag, permissions, id_) for tag, permissions, id_ in _ENTRY.iter_unpack(packed[len(_ACL_VERSION) :])]


def _allow_passing(folder: Path, user: ServerUser) -> None:
    entries = _entries(folder) or _entries_of_mode(folder.stat().st_mode)
    entries = [entry for entry in entries if (entry[0], entry[2]) != (_USER, user.uid)]
    entries.append((_USER, _EXECUTE, user.uid))
    entries = _with_mask(entries)
    try:
        os.setxattr(folder, _ACL, _ACL_VERSION + b"".join(_ENTRY.pack(*entry) for entry in sorted(entries, key=_order)))
    except OSError as error:
        raise ServerFilesUnreachable(folder, user.name) from error


def _entries_of_mode(mode: int) -> list[tuple[int, int, int]]:
    return [
        (_USER_OBJ, mode >> 6 & 7, _NOBODY_ID),
        (_GROUP_OBJ, mode >> 3 & 7, _NOBODY_ID),
        (_OTHER, mode & 7, _NOBODY_ID),
    ]


def _with_mask(entries: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return the entries with the mask that lets each of them count in full (POSIX 1003.1e draft 17, 23.1.4)."""
    mask = 0
    for tag, permissions, _ in entries:
        if tag in {_USER, _GROUP_OBJ, _GROUP}:
            mask |= permissions
    return [*(entry for entry in entries if entry[0] != _MASK), (_MASK, mask, _NOBODY_ID)]


def _order(entry: tuple[int, int, int]) -> tuple[int, int]:
    return entry[0], entry[2]
