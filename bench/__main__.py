"""Runs every bench, one after the other, and prints the README's table: `uv run python -m bench [NAME…]`."""

import json
import subprocess
import sys

from bench.figures import RESULTS, ROOT

BENCHES = (
    "ready_time",
    "memory_at_rest",
    "order_latency",
    "order_burst",
    "accounts_at_rest",
    "fill_to_frame",
    "candle_import",
    "candle_page",
    "archive",
    "archived_backtest",
    "archive_trades",
    "hazelcast_members",
    "equity_history",
    "report",
    "tax_export",
    "compression",
    "edge",
    "volume_profile",
    "indicators",
    "backtest",
    "optimize",
    "risk_checks",
    "alert_rules",
    "webhook_deliveries",
    "scale",
    "book_latency",
    "ingest",
    "fan_out",
    "deflate",
)


def main(names: list[str]) -> int:
    """Run the benches, all of them where none is named; return how many did not end well."""
    failed = [name for name in names or BENCHES if not _run(name)]
    print(_table())
    for name in failed:
        print(f"{name} did not end well; its messages stand above", file=sys.stderr)
    return len(failed)


def _run(name: str) -> bool:
    return subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=ROOT, check=False).returncode == 0


def _table() -> str:
    """Return all figures that there are results of, as a table in Markdown."""
    results = [json.loads(path.read_text()) for name in BENCHES if (path := RESULTS / f"{name}.json").exists()]
    lines = ["", "| figure | measured | target | |", "| --- | --- | --- | --- |"]
    for result in results:
        for figure in result["figures"]:
            verdict = {None: "", True: "holds", False: "missed"}[figure["holds"]]
            name = f"{figure['name']} (`bench/{result['bench']}.py`)"
            lines.append(f"| {name} | {figure['measured']} | {figure['target'] or '—'} | {verdict} |")
    machines = sorted({f"{result['machine']}, Python {result['python']}" for result in results})
    return "\n".join([*lines, "", f"Measured on: {'; '.join(machines)}."])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
