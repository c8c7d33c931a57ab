"""A backtest of an EMA cross with a stop and fees, by this engine and by others on the same candles and rules.

Each engine runs in a process of its own, one after the other, from the candles in arrays to its figures. Its best run
counts, by processor time; in the first one it may compile. freqtrade pins other versions of packages than this project
does, so it has an environment of its own.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import ROOT, Figure, report
from bench.peers.series import MARKETS, random_walk, save

CANDLES, RUNS = 1_000_000, 3
FREQTRADE = "2026.9"
ISOLATED = (
    "uv",
    "run",
    "--isolated",
    "--no-project",
    "--python",
    "3.11",
    "--with",
    f"freqtrade=={FREQTRADE}",
    "python",
)
PROGRAMS = {
    "this engine": ((sys.executable,), "engine_run", RUNS),
    "vectorbt": ((sys.executable,), "vectorbt_run", RUNS, "numba"),
    "vectorbt with Rust": ((sys.executable,), "vectorbt_run", RUNS, "rust"),
    "backtesting.py": ((sys.executable,), "backtesting_py_run", 1),
    "freqtrade": (ISOLATED, "freqtrade_run", 1),
}
TARGET_RATIOS = {"vectorbt": 3, "backtesting.py": 7, "freqtrade": 50}
TARGET_SECONDS, TARGET_SECONDS_OF_MARKETS, TARGET_MB = 1.0, 3.0, 500
COLUMNS = ("by", "s", "CPU s", "CPU s, first run", "candles/s", "times ours", "trades", "as ours", "equity", "peak MB")

Found = dict[str, dict[str, Any]]


def measure(candles: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "candles.npz"
        save(random_walk(candles), file)
        found, missing = _run_all(str(file))
    several = _run((sys.executable,), "markets_run", str(candles), RUNS)[0]
    ours = found["this engine"]
    rows = [_row(measured, ours) for measured in [*found.values(), several]]
    rows.extend([name, f"not run: {reason}", *[""] * (len(COLUMNS) - 2)] for name, reason in missing.items())
    report("backtest", COLUMNS, rows, [*_own_figures(ours, several), *_ratios(found, missing)])


class NotRun(Exception):
    """A program can't run here; the message is why."""


def _run_all(file: str) -> tuple[Found, dict[str, str]]:
    found, missing = Found(), dict[str, str]()
    for name, (command, program, *arguments) in PROGRAMS.items():
        try:
            found |= {measured["engine"]: measured for measured in _run(command, program, file, *arguments)}
        except NotRun as reason:
            missing[name] = str(reason)
    return found, missing


def _run(command: Sequence[str], program: str, *arguments: object) -> list[dict[str, Any]]:
    if shutil.which(command[0]) is None:
        raise NotRun(f"{command[0]} isn't installed")
    arguments = [*command, "-m", f"bench.peers.{program}", *map(str, arguments)]
    ended = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise NotRun((ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"])[-1])
    return list(json.loads(ended.stdout.strip().splitlines()[-1]))


def _row(measured: dict[str, Any], ours: dict[str, Any]) -> list[object]:
    (seconds, used), outcome = measured["best"], measured["outcome"]
    spans = set(map(tuple, outcome["spans"]))
    same = len(spans & set(map(tuple, ours["outcome"]["spans"])))
    return [
        measured["engine"],
        seconds,
        used,
        measured["first"][1] if measured["first"] else "",
        f"{measured['candles'] / used:,.0f}",
        _times(measured, ours),
        outcome["trades"],
        same if spans else "",
        outcome["equity"],
        f"{measured['peak']:,.0f}",
    ]


def _ratio(measured: dict[str, Any], ours: dict[str, Any], runs: str = "best") -> float:
    """Return how many times as long it takes the processor."""
    return float(measured[runs][1] / ours["best"][1])


def _times(measured: dict[str, Any], ours: dict[str, Any], runs: str = "best") -> str:
    ratio = _ratio(measured, ours, runs)
    return f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.2g}"


def _own_figures(ours: dict[str, Any], several: dict[str, Any]) -> list[Figure]:
    candles, seconds, peak = ours["candles"], ours["best"][1], max(ours["peak"], several["peak"])
    of_markets = several["best"][1]
    return [
        Figure(
            f"backtest of {candles:,} minute candles, EMA cross with stop and fees",
            f"{seconds:.2f} s of processor time, {ours['outcome']['trades']:,} trades",
            f"≤ {TARGET_SECONDS:g} s",
            seconds <= TARGET_SECONDS,
        ),
        Figure(
            f"the same count of candles of {MARKETS} markets, trailing stop and ladder",
            f"{of_markets:.2f} s of processor time, {several['outcome']['trades']:,} trades",
            f"≤ {TARGET_SECONDS_OF_MARKETS:g} s",
            of_markets <= TARGET_SECONDS_OF_MARKETS,
        ),
        Figure("the most memory of both", f"{peak:,.0f} MB", f"≤ {TARGET_MB} MB", peak <= TARGET_MB),
    ]


def _ratios(found: Found, missing: dict[str, str]) -> list[Figure]:
    figures, ours = [], found["this engine"]
    for name, measured in found.items():
        if measured is ours:
            continue
        ratio, target = _ratio(measured, ours), TARGET_RATIOS.get(name)
        figures.append(
            Figure(
                f"the same by {name}",
                f"{_times(measured, ours)} times as long" + _in_first_run(measured, ours),
                None if target is None else f"≥ {target}",
                None if target is None else ratio >= target,
            )
        )
    return figures + [Figure(f"the same by {name}", f"not run: {reason}") for name, reason in missing.items()]


def _in_first_run(measured: dict[str, Any], ours: dict[str, Any]) -> str:
    if measured["first"] in (None, measured["best"]):
        return ""
    return f", {_times(measured, ours, 'first')} times in its first run"


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    measure(*(given or [CANDLES]))
