"""`r3edge sandbox`: runs the sandbox exchange alone."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import Mirror, Replay, Seed
from infra.secret_files import BadSecretFile, read_secret
from infra.setting_types import HIGHEST_PORT, split_commas

Markets = Annotated[
    str | None,
    typer.Option(help="A file of further markets; with --mirror, what to mirror, such as BTC/USDT,ETH/EUR."),
]


def sandbox(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=HIGHEST_PORT, help="The port to listen on; 0 takes any free one.")
    ] = 9000,
    folder: Annotated[Path, typer.Option(help="Where it keeps its state.")] = Path("r3edge-sandbox"),
    replay: Replay = None,
    seed: Seed = None,
    mirror: Mirror = None,
    markets: Markets = None,
    mirror_url: Annotated[str | None, typer.Option(help="Another address of the mirrored venue.")] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="R3EDGE_SANDBOX_TOKEN", help="Opens the administrative side (one made in the folder)."),
    ] = None,
) -> None:
    """Run the sandbox exchange alone, until SIGTERM or Ctrl-C."""
    from infra.sandbox.options import SandboxOptions  # noqa: PLC0415  # other commands start without the exchange
    from infra.sandbox.process import run_to_end  # noqa: PLC0415  # as above

    try:
        token = token or read_secret("R3EDGE_SANDBOX_TOKEN_FILE")
    except BadSecretFile as error:
        raise typer.BadParameter(str(error)) from None
    options = SandboxOptions(folder=folder, host=host, port=port, replay=tuple(replay or ()), seed=seed, token=token)
    if mirror is None and mirror_url:
        raise typer.BadParameter("--mirror-url belongs to --mirror VENUE")
    if mirror is None:
        raise SystemExit(run_to_end(replace(options, markets=Path(markets) if markets else None)))
    if replay or seed is not None:
        raise typer.BadParameter("a mirror has the live venue's prices: leave --replay and --seed out")
    from infra.cli.mirror import MirrorOptions, run_mirror_to_end  # noqa: PLC0415  # as above

    raise SystemExit(run_mirror_to_end(options, MirrorOptions(mirror, mirror_url, split_commas(markets or ""))))
