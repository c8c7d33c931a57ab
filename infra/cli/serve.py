"""`r3edge serve`: runs the engine."""

import gc
from typing import Annotated

import typer

from infra.cli.options import DataDirectory, Mirror, Replay, Seed
from infra.settings_loading import load_settings

Host = Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")]
Port = Annotated[int | None, typer.Option(help="The port to listen on (8000); 0 takes any free one.")]


def serve(
    host: Host = None,
    port: Port = None,
    data_dir: DataDirectory = None,
    roles: Annotated[str | None, typer.Option(help="Some of web,collector,trader,worker (all).")] = None,
    replay: Replay = None,
    seed: Seed = None,
    mirror: Mirror = None,
) -> None:
    """Run the engine until SIGTERM or Ctrl-C.

    Each option is a setting, as are R3EDGE_DATABASE_URL, R3EDGE_VENUES and many more: docs/operations.md lists all.
    """
    recordings = tuple(replay) if replay else None
    settings = load_settings(
        host=host, port=port, data_dir=data_dir, roles=roles, replay=recordings, seed=seed, mirror=mirror
    )
    # Searching for dead cycles takes a third of the time of the imports, and finds none. The engine searches once it
    # listens.
    gc.disable()
    from infra.runtime.serve import run  # noqa: PLC0415  # the other commands start without the engine's imports

    raise SystemExit(run(settings))
