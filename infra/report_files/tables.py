"""The tables of a report, as a zip archive of CSV or Parquet files that is written in parts."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from io import BytesIO, StringIO
from typing import Any, Final

import polars as pl

from domain.core.archive import Archive
from domain.core.csv_rows import text_cell
from domain.core.money import plain
from domain.model.orders import Fill
from domain.model.report_documents import ReportDocument
from domain.model.reports import ReportFormat

Cell = str | float | int | bool | Decimal | datetime | None
FILLS_A_FILE: Final = 100_000
"""Parquet files have their index at the end, so that many fills are in several files."""
_SCALE: Final = 18
_PLACES: Final = Decimal(1).scaleb(-_SCALE)
_WIDE: Final = Context(prec=80)
_TYPES: Final[dict[str, pl.DataType]] = {
    "text": pl.String(),
    "number": pl.Float64(),
    "count": pl.Int64(),
    "amount": pl.Decimal(38, _SCALE),
    "time": pl.Datetime("us", "UTC"),
    "flag": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name, its columns with the kind of each, and its rows."""

    name: str
    columns: dict[str, str]
    rows: Sequence[Sequence[Cell]]


FILL_COLUMNS: Final = {
    "at": "time",
    "market": "text",
    "side": "text",
    "quantity": "amount",
    "price": "amount",
    "fee": "amount",
    "fee_currency": "text",
    "maker": "flag",
    "account_id": "text",
    "trading_session_id": "text",
    "order_id": "text",
    "venue_trade_id": "text",
}


def tables_of(document: ReportDocument) -> list[Table]:
    """Return the tables of a report but for its fills."""
    result = document.result
    return [
        Table(
            "figures",
            {"group": "text", "name": "text", "label": "text", "unit": "text", "value": "number", "definition": "text"},
            [(f.group, f.name, f.label, f.unit, _float(f.value), f.definition) for f in document.figures],
        ),
        Table(
            "equity",
            {"at": "time", "equity": "amount", "net_deposits": "amount", "drawdown_percent": "number"},
            [(p.at, p.equity, p.net_deposits, p.drawdown_percent) for p in result.equity_curve],
        ),
        Table(
            "round_trips",
            {
                "opened_at": "time",
                "closed_at": "time",
                "market": "text",
                "side": "text",
                "quantity": "amount",
                "entry_price": "amount",
                "exit_price": "amount",
                "profit": "amount",
                "profit_percent": "number",
                "fees": "amount",
                "exit_reason": "text",
                "max_adverse_excursion": "number",
                "max_favorable_excursion": "number",
            },
            [
                (
                    t.opened_at, t.closed_at, None if t.market is None else str(t.market), t.side, t.quantity,
                    t.entry_price, t.exit_price, t.profit, t.profit_percent, t.fees, t.exit_reason,
                    t.max_adverse_excursion, t.max_favorable_excursion,
                )
                for t in result.round_trips
            ],
        ),
        *(
            []
            if result.benchmark is None
            else [
                Table(
                    "benchmark",
                    {"at": "time", "market": "text", "price": "amount"},
                    [(p.at, str(result.benchmark.market), p.price) for p in result.benchmark.prices],
                )
            ]
        ),
    ]  # fmt: skip


def fill_rows(fills: Sequence[Fill]) -> list[tuple[Cell, ...]]:
    """Return the rows of fills, in the order of `FILL_COLUMNS`."""
    return [
        (
            fill.at, str(fill.market), fill.side, fill.quantity, fill.price, fill.fee, fill.fee_currency, fill.maker,
            str(fill.account_id), None if fill.trading_session_id is None else str(fill.trading_session_id),
            str(fill.order_id), fill.venue_trade_id,
        )
        for fill in fills
    ]  # fmt: skip


class TableArchive:
    """See `domain.ports.report_files.TableWriter`."""

    def __init__(self, document: ReportDocument, format: ReportFormat) -> None:
        self._archive = Archive(document.generated_at)
        self._encode: Callable[[Table], bytes] = csv_bytes if format is ReportFormat.CSV else parquet_bytes
        self._suffix = format.value.lower()
        self._waiting: list[tuple[Cell, ...]] = []
        self._files = 0
        for table in tables_of(document):
            self._write(table)

    @property
    def pending_bytes(self) -> int:
        return self._archive.pending_bytes

    def add_fills(self, fills: Sequence[Fill]) -> None:
        rows = fill_rows(fills)
        if self._suffix == "csv":
            self._append_csv(rows)
            return
        self._waiting += rows
        if len(self._waiting) >= FILLS_A_FILE:
            self._write_fills()

    def close(self) -> None:
        if self._waiting:
            self._write_fills()
        self._archive.close()

    def take(self) -> bytes:
        return self._archive.take()

    def _append_csv(self, rows: list[tuple[Cell, ...]]) -> None:
        data = csv_bytes(Table("fills", FILL_COLUMNS, rows))
        if self._files:
            data = data.partition(b"\n")[2]
        else:
            self._archive.begin("fills.csv")
            self._files = 1
        self._archive.write_bytes(data)

    def _write_fills(self) -> None:
        self._files += 1
        self._write(Table(f"fills-{self._files:04}", FILL_COLUMNS, self._waiting))
        self._waiting = []

    def _write(self, table: Table) -> None:
        self._archive.begin(f"{table.name}.{self._suffix}")
        self._archive.write_bytes(self._encode(table))


def csv_bytes(table: Table) -> bytes:
    """Return a table as CSV (RFC 4180, with line feeds): times in ISO 8601, amounts exact."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    # Column by column, since a table may have a million cells.
    columns = zip(*table.rows, strict=True)
    written = [
        ["" if cell is None else write(cell) for cell in column]
        for write, column in zip((_WRITERS[kind] for kind in table.columns.values()), columns, strict=False)
    ]
    writer.writerows(zip(*written, strict=True))
    return text.getvalue().encode()


def parquet_bytes(table: Table) -> bytes:
    """Return a table as Parquet: amounts as decimals of 18 places, times in microseconds of UTC."""
    columns = list(zip(*table.rows, strict=True)) if table.rows else [() for _ in table.columns]
    series = [
        pl.Series(name, _column(values, kind), dtype=_TYPES[kind], strict=False)
        for (name, kind), values in zip(table.columns.items(), columns, strict=True)
    ]
    data = BytesIO()
    pl.DataFrame(series).write_parquet(data, compression="zstd")
    return data.getvalue()


def _column(values: Sequence[Cell], kind: str) -> list[Cell]:
    if kind == "amount":
        return [None if value is None else _WIDE.quantize(Decimal(str(value)), _PLACES) for value in values]
    return [str(value) if kind == "text" and value is not None else value for value in values]


def _float(value: float | Decimal | None) -> float | None:
    return None if value is None else float(value)


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "text": lambda text: text_cell(str(text)),
    "number": repr,
    "count": str,
    "amount": plain,
    "time": datetime.isoformat,
    "flag": str,
}
"""How the cells of a column are written in CSV."""
