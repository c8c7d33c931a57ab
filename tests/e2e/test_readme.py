"""The README's first session, pasted line by line into a shell, does what it says."""

import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import ROOT, engine_environment
from tests.support.ports import free_port
from tests.support.require import require_or_skip

README = ROOT / "README.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "~~~ block"
# `uv run PROGRAM …` is a process that has the program as its only child; so is a function in the background.
UV = 'uv() { "$PROGRAMS/$2" "${@:3}"; return $?; }\n'


@pytest.mark.timeout(300)
def test_the_first_session_works_as_it_is_printed(data_folder: Path) -> None:
    port = free_port()
    # On a busy machine the first book may take longer than the three seconds for which a reader watches.
    session = _first_session().replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("live 3 ", "live 8 ")
    outputs = _paste(session, data_folder, port)
    output = dict(zip(NAMES, outputs, strict=True))
    assert output["start"] == output["restart"] == '{"status":"ready"}'
    books = [event["marketDepth"] for event in _events(output["watch the book"])]
    assert any(book.get("bids") for book in books), books
    assert _answer(output["register"])["user"]["role"] == "OPERATOR"
    (balance,) = _answer(output["account"])["account"]["balances"]
    assert balance == {"currency": "USDT", "total": "100000", "free": "100000"}
    _assert_followed_to_its_fill(output["buy"])
    (typo,) = _answer(output["typo"])["errors"]
    assert (typo["code"], typo["start"], typo["suggestion"]) == ("STRATEGY_INVALID", 14, "sma")
    assert _answer(output["strategy"])["strategy"]["version"]["number"] == 1
    assert _answer(output["start a session"])["errors"] == []
    _assert_nothing_is_lost(output["go on"])
    _assert_flat(output["stop"])
    report = _answer(output["report"])
    assert (report["job"]["status"], report["metrics"]["roundTrips"]) == ("SUCCEEDED", 1)
    assert report["roundTrips"]["nodes"][0]["exitReason"] == "CLOSE"
    assert Decimal(report["metrics"]["startEquity"]) > 99_000  # known although the engine was killed meanwhile
    log = (data_folder / "r3edge.log").read_text()
    assert "Traceback" not in log
    assert not _processes_in(data_folder)


CANNED = (
    '{"data":{"x":{"token":"t","id":"i","eventCursor":"c","errors":[],'
    '"status":"FILLED","session":"STOPPED","job":"SUCCEEDED"}}}'
)


def test_an_interactive_zsh_takes_every_line_that_is_printed(tmp_path: Path) -> None:
    """There `#` begins no comment and a bracket is a pattern, so each line is pasted into one; nothing is started."""
    stubs = f"uv() {{ :; }}; curl() {{ echo '{CANNED}'; }}; kill() {{ :; }}; pgrep() {{ echo 1; }}; wait() {{ :; }}\n"
    session = _first_session().replace(f"echo '{MARK}'\n", "")
    zsh = shutil.which("zsh")
    require_or_skip(zsh, "there is no zsh here")
    done = subprocess.run(
        [str(zsh), "-f", "-i", "-s"], input=f"{stubs}PS1= PS2=\n{session}exit\n", cwd=tmp_path, text=True,
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert CANNED in done.stdout
    assert not [line for line in done.stderr.splitlines() if "zsh:" in line or ": bad " in line], done.stderr


NAMES = (
    "start", "functions", "watch the book", "register", "account", "buy", "typo", "strategy", "start a session",
    "restart", "go on", "stop", "report", "end",
)  # fmt: skip


def _first_session() -> str:
    text = README.read_text()
    section = text[text.index("## A first session") : text.index("## What it measures")]
    blocks = BLOCK.findall(section)
    assert len(blocks) == len(NAMES), "a step was added or taken away: name it above, and say what it must lead to"
    return f"echo '{MARK}'\n".join(blocks)


def _paste(session: str, folder: Path, port: int) -> list[str]:
    """Run the session in a shell in `folder`; return what each block said. Nothing that it started outlives it."""
    environment = engine_environment(R3EDGE_PORT=str(port), PROGRAMS=str(Path(sys.executable).parent))
    bash = shutil.which("bash")
    assert bash is not None
    shell = subprocess.Popen(
        [bash, "-c", UV + session], cwd=folder, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        output, warnings = shell.communicate(timeout=280)
    finally:
        shell.kill()
        for process in _processes_in(folder):
            os.kill(process, 9)
    assert not [line for line in warnings.splitlines() if "Killed" not in line], warnings
    return [part.strip() for part in output.split(MARK)]


def _processes_in(folder: Path) -> list[int]:
    """Return the processes that work in the folder: its engine and what that started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            place, words = (entry / "cwd").readlink(), (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if words and (place.is_relative_to(folder) or str(folder) in words):
            found.append(int(entry.name))
    return found


def _answer(text: str) -> dict[str, Any]:
    """Return the value of the only root field of the last answer in `text`."""
    (value,) = json.loads(text.splitlines()[-1])["data"].values()
    return value


def _events(text: str) -> list[dict[str, Any]]:
    output = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert output, text
    assert not any("errors" in event for event in output), output
    return [event["data"] for event in output]


def _assert_followed_to_its_fill(text: str) -> None:
    steps = [event["orderEvents"] for event in _events(text)]
    assert [step["kind"] for step in steps][:3] == ["PENDING", "SUBMITTED", "ACCEPTED"]
    assert steps[-1]["order"]["status"] == "FILLED"
    (placed,) = [line for line in text.splitlines() if line.startswith('{"data":{"orderPlace"')]
    assert _answer(placed)["errors"] == []


def _assert_nothing_is_lost(text: str) -> None:
    """Hold that the log goes on without a gap over the kill, to the session's own order."""
    events = [event["events"] for event in _events(text)]
    numbers = [int(event["sequence"]) for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert any((event["state"] or {}).get("action") == "ENTER_LONG" for event in events)
    assert events[-1]["state"] == {"status": "FILLED", "role": "ENTRY"}


def _assert_flat(text: str) -> None:
    session = _answer(text)
    assert session["status"] == "STOPPED"
    assert session["position"]["closedAt"] is not None
    assert [order["role"] for order in session["orders"]["nodes"]] == ["CLOSE", "ENTRY"]
