"""Where the recordings of real markets are: not in the repository, so a test of them skips where they are absent.

`CONTRIBUTING.md` says what they are and where they come from.
"""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("RECORDED_DATA") or ROOT.parent / "shared" / "data")
"""The folder that the environment names, or the one beside a checkout where they are kept for all checkouts."""

BINANCE = FOLDER / "binance_spot_raw"
COINBASE = FOLDER / "coinbase_ohlcv"


def skip_without(*paths: Path) -> None:
    """Skip the test where a file or folder from outside of the repository isn't there."""
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} aren't part of the repository, and not in {paths[0].parent}")
