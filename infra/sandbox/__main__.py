"""The command line of the sandbox exchange: `python -m infra.sandbox --folder DIR --port N`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from infra.sandbox.options import SandboxOptions
from infra.sandbox.process import run_to_end


def parse_options(arguments: list[str]) -> SandboxOptions:
    """Return the options of a command line; exits with 2 and a message if it can't be parsed."""
    parser = argparse.ArgumentParser(prog="python -m infra.sandbox", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the state is kept")
    parser.add_argument("--port", type=int, default=0, help="0 for any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, help="decides prices and history of a new folder")
    parser.add_argument(
        "--replay", type=Path, nargs="+", action="extend", default=[], help="recordings of Binance's raw streams"
    )
    parser.add_argument("--replay-at", type=_time, help="the venue's time at the first frame; now by default")
    parser.add_argument("--markets", type=Path, help="a file of further markets, in the form of Binance's exchangeInfo")
    parser.add_argument("--speed", type=float, default=1.0, help="pace of the venue's clock and of the replay")
    parser.add_argument("--unlimited", action="store_true", help="no rate limits")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input closes")
    given = parser.parse_args(arguments)
    if missing := [str(path) for path in given.replay if not path.is_file()]:
        parser.error(f"--replay: no such file: {', '.join(missing)}")
    if not given.speed > 0:
        parser.error("--speed must be above 0")
    return SandboxOptions(**(vars(given) | {"replay": tuple(given.replay)}))


def main() -> None:
    """Run the exchange with the command line's options."""
    sys.exit(run_to_end(parse_options(sys.argv[1:])))


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
