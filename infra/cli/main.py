"""The command line: `r3edge serve`, `migrate`, `backfill`, `import`, `schema print`, `sandbox`, `user promote`."""

import asyncio
import importlib.metadata
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from infra.cli.history import add_history_commands
from infra.settings import HIGHEST_PORT, BadSettings, load_settings, split

CANNOT = 1
USAGE_ERROR = 2

_Result = TypeVar("_Result")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # its boxes show <bool> behind a flag, which takes no value
    pretty_exceptions_enable=False,  # they can show local variables, and with them secrets
)
schema_app = typer.Typer(help="The public schema.", no_args_is_help=True, rich_markup_mode=None)
user_app = typer.Typer(help="Users, for the operator of the machine.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(schema_app, name="schema")
app.add_typer(user_app, name="user")
add_history_commands(app)


def main() -> None:
    """Run the command line; a setting that can't be used ends it with exit code 2."""
    try:
        app()
    except BadSettings as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        raise SystemExit(USAGE_ERROR) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"r3edge-engine {importlib.metadata.version('r3edge-engine')}")
        raise typer.Exit


Host = Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")]
Port = Annotated[int | None, typer.Option(help="The port to listen on (8000); 0 takes any free one.")]
DataDirectory = Annotated[Path | None, typer.Option(help="Where the embedded parts keep their data (r3edge-data).")]
Replay = Annotated[list[Path] | None, typer.Option(help="A recorded Binance stream that sets the sandbox's prices.")]
Seed = Annotated[int | None, typer.Option(help="The seed of the sandbox's order flow.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds that a database of your own may take until it answers (0).")]
Mirror = Annotated[str | None, typer.Option(help="A ccxt venue whose live public prices are shown, such as binance.")]
MirrorMarkets = Annotated[str | None, typer.Option("--markets", help="What to mirror, such as BTC/USDT,ETH/EUR.")]


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """r3edge-engine: a self-hosted trading engine behind one GraphQL API."""


@app.command()
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
    from infra.runtime.serve import run  # noqa: PLC0415  # the other commands start without the engine's imports

    raise SystemExit(run(settings))


@app.command()
def migrate(data_dir: DataDirectory = None, wait: Wait = 0) -> None:
    """Bring the database to this version's schema: that of R3EDGE_DATABASE_URL, or the embedded one."""
    settings = load_settings(data_dir=data_dir)
    from infra.cli.maintenance import migrate_database  # noqa: PLC0415  # as above

    applied = _run(migrate_database(settings, wait))
    print("\n".join(f"applied {revision}" for revision in applied) or "the database is up to date")


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=HIGHEST_PORT, help="The port to listen on; 0 takes any free one.")
    ] = 9000,
    folder: Annotated[Path, typer.Option(help="Where it keeps its state.")] = Path("r3edge-sandbox"),
    replay: Replay = None,
    seed: Seed = None,
    mirror: Mirror = None,
    markets: MirrorMarkets = None,
    mirror_url: Annotated[str | None, typer.Option(help="Another address of the mirrored venue.")] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="R3EDGE_SANDBOX_TOKEN", help="Opens the administrative side (one made in the folder)."),
    ] = None,
) -> None:
    """Run the sandbox exchange alone, until SIGTERM or Ctrl-C."""
    from infra.sandbox.options import SandboxOptions  # noqa: PLC0415  # as above
    from infra.sandbox.process import run_to_end  # noqa: PLC0415  # as above

    options = SandboxOptions(folder=folder, host=host, port=port, replay=tuple(replay or ()), seed=seed, token=token)
    if mirror is None and (markets or mirror_url):
        raise typer.BadParameter("--markets and --mirror-url belong to --mirror VENUE")
    if mirror is None:
        raise SystemExit(run_to_end(options))
    if replay or seed is not None:
        raise typer.BadParameter("a mirror has the live venue's prices: leave --replay and --seed out")
    from infra.cli.mirror import MirrorOptions, run_mirror_to_end  # noqa: PLC0415  # as above

    raise SystemExit(run_mirror_to_end(options, MirrorOptions(mirror, mirror_url, split(markets or ""))))


@schema_app.command("print")
def print_schema() -> None:
    """Print the public schema in GraphQL's definition language."""
    from schema import build_schema  # noqa: PLC0415  # as above

    print(build_schema().as_str())


@user_app.command("promote")
def promote(email: str, data_dir: DataDirectory = None) -> None:
    """Make a registered user an operator."""
    settings = load_settings(data_dir=data_dir)
    from infra.cli.maintenance import promote_user  # noqa: PLC0415  # as above

    if not _run(promote_user(settings, email)):
        print(f"nobody is registered as {email}", file=sys.stderr)
        raise SystemExit(CANNOT)
    print(f"{email} is an operator now")


def _run(work: Coroutine[None, None, _Result]) -> _Result:
    """Run a command to its end; one that can't be done ends with a line that says why."""
    from infra.runtime.errors import STARTUP_ERRORS  # noqa: PLC0415  # as above

    try:
        return asyncio.run(work)
    except STARTUP_ERRORS as error:
        print(f"r3edge: {error}", file=sys.stderr)
        raise SystemExit(CANNOT) from None
