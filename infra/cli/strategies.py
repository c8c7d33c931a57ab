"""`r3edge strategy`: strategies out of files and into files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import DataDirectory, log_warnings_alone, run_command
from infra.settings_loading import load_settings
from infra.strategy_files.formats import DocumentFormat

strategy_app = typer.Typer(help="Strategies out of files and into files.", no_args_is_help=True, rich_markup_mode=None)


UserEmail = Annotated[
    str | None, typer.Option("--user", help="The email of the user; not needed if the engine has one user alone.")
]


@strategy_app.command("import")
def import_strategy(
    file: Annotated[Path, typer.Argument(help="The definition in JSON or YAML (.yaml, .yml).")],
    user: UserEmail = None,
    name: Annotated[str | None, typer.Option(help="The strategy's name, in the place of the one in the file.")] = None,
    update: Annotated[
        bool, typer.Option("--update", help="If there is a strategy of that name, make a new version of it.")
    ] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Store the strategy in a file. The engine may be running."""
    settings = load_settings(data_dir=data_dir)
    from infra.cli.strategy_store import ImportRequest, store_strategy  # noqa: PLC0415  # other commands start without
    from infra.strategy_files.strategy_file import read_strategy_file  # noqa: PLC0415  # as above

    async def run() -> str:
        found = read_strategy_file(file)
        return await store_strategy(
            settings, user, ImportRequest(found, _first_given(name, found.name, file.stem), update)
        )

    log_warnings_alone(settings)
    print(run_command(run()))


def _first_given(*names: str | None) -> str:
    """Return the first name that is given, one without any characters too, which is refused."""
    return next(name for name in names if name is not None)


@strategy_app.command("export")
def export_strategy(
    strategy: Annotated[str, typer.Argument(help="The strategy's name or id, or with --template a template's name.")],
    user: UserEmail = None,
    version: Annotated[int | None, typer.Option(help="The number of a version; without it, the newest.")] = None,
    format: Annotated[DocumentFormat, typer.Option(help="The format of the file.")] = DocumentFormat.JSON,
    template: Annotated[bool, typer.Option("--template", help="Print a template of the engine.")] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Print a strategy in the form of a file, which `import` and `backtest` read. The engine may be running."""
    settings = load_settings(data_dir=data_dir)
    from infra.cli.strategy_store import exported_strategy, exported_template  # noqa: PLC0415  # as above
    from infra.strategy_files.strategy_file import StrategyFile, write_strategy  # noqa: PLC0415  # as above

    async def run() -> StrategyFile:
        if template:
            return exported_template(strategy)
        return await exported_strategy(settings, user, strategy, version)

    print(write_strategy(run_command(run()), format), end="")


@strategy_app.command("schema")
def print_definition_schema() -> None:
    """Print the JSON Schema of a strategy's file, by which editors complete and check it."""
    from infra.cli.definition_schema import definition_schema  # noqa: PLC0415  # as above
    from schema import build_schema  # noqa: PLC0415  # as above

    print(json.dumps(definition_schema(build_schema().as_str()), indent=2, ensure_ascii=False))
