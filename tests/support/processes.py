"""The machine's processes, by what stands in their command lines."""

from pathlib import Path

_PROC = Path("/proc")


def processes_naming(words: str) -> dict[int, str]:
    """Return the command lines that contain `words`, by pid."""
    lines = {int(entry.name): _command_line(entry) for entry in _PROC.iterdir() if entry.name.isdigit()}
    return {pid: line for pid, line in lines.items() if words in line}


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
