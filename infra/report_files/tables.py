"""The tables of a report, as columns: its figures, equity, round trips, benchmark and fills."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Final

import polars as pl

from domain.core.money import plain
from domain.model.fill_lines import FILL_LINE_COLUMNS, FillLines
from domain.model.report_documents import ReportDocument

Cell = str | float | Decimal | datetime | None


class Kind(Enum):
    """What the cells of a column are; an amount is kept as text, exact, without exponent and trailing zeros."""

    TEXT = auto()
    NUMBER = auto()
    AMOUNT = auto()
    TIME = auto()
    FLAG = auto()


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name, its columns with the kind of each, and its rows."""

    name: str
    kinds: Mapping[str, Kind]
    frame: pl.DataFrame


TIME_TYPE: Final = pl.Datetime("us", "UTC")
FILL_COLUMNS: Final = {
    "at": Kind.TIME,
    "market": Kind.TEXT,
    "side": Kind.TEXT,
    "quantity": Kind.AMOUNT,
    "price": Kind.AMOUNT,
    "fee": Kind.AMOUNT,
    "fee_currency": Kind.TEXT,
    "maker": Kind.FLAG,
    "account_id": Kind.TEXT,
    "trading_session_id": Kind.TEXT,
    "order_id": Kind.TEXT,
    "venue_trade_id": Kind.TEXT,
}
_FIGURES: Final = {
    "group": Kind.TEXT,
    "name": Kind.TEXT,
    "label": Kind.TEXT,
    "unit": Kind.TEXT,
    "value": Kind.NUMBER,
    "definition": Kind.TEXT,
}
_EQUITY: Final = {
    "at": Kind.TIME,
    "equity": Kind.AMOUNT,
    "net_deposits": Kind.AMOUNT,
    "drawdown_percent": Kind.NUMBER,
}
_ROUND_TRIPS: Final = {
    "opened_at": Kind.TIME,
    "closed_at": Kind.TIME,
    "market": Kind.TEXT,
    "side": Kind.TEXT,
    "quantity": Kind.AMOUNT,
    "entry_price": Kind.AMOUNT,
    "exit_price": Kind.AMOUNT,
    "profit": Kind.AMOUNT,
    "profit_percent": Kind.NUMBER,
    "fees": Kind.AMOUNT,
    "exit_reason": Kind.TEXT,
    "max_adverse_excursion": Kind.NUMBER,
    "max_favorable_excursion": Kind.NUMBER,
}
_BENCHMARK: Final = {"at": Kind.TIME, "market": Kind.TEXT, "price": Kind.AMOUNT}


def tables_of(document: ReportDocument) -> list[Table]:
    """Return the tables of a report but for its fills."""
    result = document.result
    tables = [
        _table(
            "figures", _FIGURES, [(f.group, f.name, f.label, f.unit, f.value, f.definition) for f in document.figures]
        ),
        _table(
            "equity", _EQUITY, [(p.at, p.equity, p.net_deposits, p.drawdown_percent) for p in result.equity_curve]
        ),
        _table(
            "round_trips",
            _ROUND_TRIPS,
            [
                (
                    t.opened_at, t.closed_at, t.market, t.side, t.quantity, t.entry_price, t.exit_price, t.profit,
                    t.profit_percent, t.fees, t.exit_reason, t.max_adverse_excursion, t.max_favorable_excursion,
                )
                for t in result.round_trips
            ],
        ),
    ]  # fmt: skip
    if result.benchmark is not None:
        market = str(result.benchmark.market)
        tables.append(_table("benchmark", _BENCHMARK, [(p.at, market, p.price) for p in result.benchmark.prices]))
    return tables


def fill_table(fills: FillLines) -> Table:
    """Return the table of fills."""
    texts = pl.read_csv(fills.text, has_header=False, new_columns=list(FILL_LINE_COLUMNS), infer_schema=False)
    at = pl.col("at").cast(pl.Int64).cast(TIME_TYPE)
    return Table("fills", FILL_COLUMNS, texts.with_columns(at, pl.col("maker") == "t").select(list(FILL_COLUMNS)))


def _table(name: str, kinds: Mapping[str, Kind], rows: Sequence[Sequence[object]]) -> Table:
    columns = zip(*rows, strict=True) if rows else (() for _ in kinds)
    return Table(
        name,
        kinds,
        pl.DataFrame([_series(*column, cells) for column, cells in zip(kinds.items(), columns, strict=True)]),
    )


def _series(name: str, kind: Kind, cells: Sequence[object]) -> pl.Series:
    if kind is Kind.TIME:
        return pl.Series(name, cells, dtype=TIME_TYPE)
    write = _WRITERS[kind]
    return pl.Series(name, [None if cell is None else write(cell) for cell in cells], dtype=_TYPES[kind])


_WRITERS: Final[Mapping[Kind, Callable[[Any], object]]] = {Kind.TEXT: str, Kind.NUMBER: float, Kind.AMOUNT: plain}
_TYPES: Final = {Kind.TEXT: pl.String(), Kind.NUMBER: pl.Float64(), Kind.AMOUNT: pl.String()}
