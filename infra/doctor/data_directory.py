"""Checks the data directory: its disk, its file system, and who may read the secrets in it."""

import os
import shutil
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from infra.doctor.findings import Finding, error, ok, skipped, warning
from infra.runtime.data_dir import KEY_FILE
from infra.sandbox.state.state_folder import TOKEN_FILE
from infra.setting_types import decode_secret_key
from infra.settings import Settings, is_secret
from infra.settings_loading import secret_files

LEAST_FREE_BYTES = 1 << 30
FEW_FREE_BYTES = 5 << 30
LEAST_FREE_INODES = 1_000
FEW_FREE_INODES = 20_000
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs"})
_VOLATILE = frozenset({"tmpfs", "ramfs"})
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOUNTS = Path("/proc/self/mountinfo")


def check_data_directory(settings: Settings) -> Sequence[Finding]:
    """Return what was found of the data directory; nothing in it is changed, and it isn't made."""
    folder = settings.data_dir.expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return [
        _folder(folder, existing),
        _space(existing),
        _inodes(existing),
        _file_system(existing),
        *_secrets(settings, folder),
    ]


def _folder(folder: Path, existing: Path) -> Finding:
    name = "disk.folder"
    if not existing.is_dir():
        return error(name, f"{existing} is no folder", "choose another R3EDGE_DATA_DIR")
    if not os.access(existing, os.W_OK | os.X_OK):
        return error(
            name, f"this user may not write in {existing}", "run as its owner, or choose another R3EDGE_DATA_DIR"
        )
    if existing == folder:
        return ok(name, f"{folder} can be written")
    return ok(name, f"{folder} isn't there yet; the first start makes it")


def _space(existing: Path) -> Finding:
    free, name = shutil.disk_usage(existing).free, "disk.space"
    message = f"{free / (1 << 30):.1f} GiB are free on the disk of {existing}"
    if free < LEAST_FREE_BYTES:
        return error(name, message, "make room now: PostgreSQL stops when it can't write")
    if free < FEW_FREE_BYTES:
        return warning(name, message, "make room, or move the data directory to a larger disk")
    return ok(name, message)


def _inodes(existing: Path) -> Finding:
    status, name = os.statvfs(existing), "disk.inodes"
    if status.f_files == 0:
        return skipped(name, "the file system has no fixed number of files")
    message = f"{status.f_favail:,} more files may be made on the disk of {existing}"
    advice = "delete files that nobody needs, or move the data directory: no file can be made when they run out"
    if status.f_favail < LEAST_FREE_INODES:
        return error(name, message, advice)
    return warning(name, message, advice) if status.f_favail < FEW_FREE_INODES else ok(name, message)


def _file_system(existing: Path) -> Finding:
    kind, name = _file_system_kind(existing), "disk.file_system"
    if kind is None:
        return skipped(name, "the kind of the file system isn't known here")
    if kind in _NETWORK:
        advice = "move the data directory to a local disk: locks and sockets don't hold over a network"
        return error(name, f"{existing} is on {kind}", advice)
    if kind in _VOLATILE:
        return warning(
            name, f"{existing} is on {kind}", "move the data directory to a disk: memory is lost at a restart"
        )
    return ok(name, f"{existing} is on {kind}")


def _file_system_kind(existing: Path) -> str | None:
    """Return the kind of the file system by the longest mount point above the path (proc_pid_mountinfo(5))."""
    if not _MOUNTS.exists():
        return None
    best, kind = -1, None
    for line in _MOUNTS.read_text(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        mounted = before.split()[4].encode().decode("unicode_escape")
        if existing.is_relative_to(mounted) and len(mounted) >= best:
            best, kind = len(mounted), after.split()[0]
    return kind


def _secrets(settings: Settings, folder: Path) -> Iterator[Finding]:
    names = [KEY_FILE, "postgres/password", f"sandbox/{TOKEN_FILE}"]
    if settings.mirror_venue is not None:
        names.append(f"{settings.mirror_venue}/{TOKEN_FILE}")
    files = {folder / name: _OPEN_TO_OTHERS for name in names}
    if file := os.environ.get("R3EDGE_CONFIG"):
        files[Path(file)] = stat.S_IRWXO  # a group of its own is how a service reads a file of root's
    files.update(dict.fromkeys(secret_files(), stat.S_IRWXO))
    yield from _permissions({path: mask for path, mask in files.items() if path.exists() and _holds_secret(path)})
    yield _secret_key(settings, folder / KEY_FILE)


def _holds_secret(path: Path) -> bool:
    """Return whether a file holds a secret: a TOML file of settings need not."""
    if path.suffix != ".toml":
        return True
    return any(is_secret(name) for name in tomllib.loads(path.read_text()))


def _permissions(files: Mapping[Path, int]) -> Iterator[Finding]:
    name, open_files = "secrets.permissions", [path for path, mask in files.items() if path.stat().st_mode & mask]
    for path in open_files:
        yield error(name, f"other users of this machine may read {path}", f"chmod 600 '{path}'")
    if not open_files:
        yield ok(name, f"{len(files)} files with secrets are private")


def _secret_key(settings: Settings, path: Path) -> Finding:
    name = "secrets.key"
    if settings.secret_key is not None:
        return ok(name, "R3EDGE_SECRET_KEY seals venue credentials")
    if not path.exists():
        return ok(name, f"there is no {path} yet; the first start makes it")
    try:
        decode_secret_key(path.read_text("ascii").strip())
    except OSError as failure:
        return error(name, f"{path} can't be read: {failure.strerror}", "run as the user that runs the engine")
    except ValueError:
        return error(name, f"{path} holds no key of 32 bytes in base64", "put it back from a backup")
    return ok(name, f"{path} seals venue credentials; back it up apart from the database")
