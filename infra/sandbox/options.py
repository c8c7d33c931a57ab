"""How a sandbox exchange is started."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class SandboxOptions:
    """The settings of one exchange process.

    `port` 0 takes any free one. `replay` lists recordings of Binance's raw stream, played in sequence;
    `replay_at` is the venue's time at their first frame (now by default) and `speed` the pace. `unlimited` switches
    the rate limits off. With `exit_with_stdin` it ends when its standard input closes. `token` opens the
    administrative side; without it one is made and kept in the folder. `markets` is a file of further markets.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    seed: int | None = None
    replay: tuple[Path, ...] = ()
    replay_at: datetime | None = None
    speed: float = 1.0
    unlimited: bool = False
    exit_with_stdin: bool = False
    token: str | None = None
    markets: Path | None = None
