"""Whether the built console is that of its sources: `console/build.mjs` writes their hash beside what it has built."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ROOT: Final = ("build.mjs", "index.html", "package-lock.json", "package.json", "vite.config.ts")


def sources_hash(console: Path) -> str:
    """Return the hash of all that the build reads: each file's path and content, ordered by path."""
    digest = hashlib.sha256()
    for path in sorted(_sources(console), key=lambda path: path.relative_to(console).as_posix()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(console).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(console: Path) -> Iterator[Path]:
    yield from (console / name for name in _ROOT)
    for folder in ("src", "public"):
        for path in (console / folder).rglob("*"):
            if path.is_file() and ".generated." not in path.name and ".test." not in path.name:
                yield path
