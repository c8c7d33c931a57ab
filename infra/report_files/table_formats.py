"""Tables as CSV and as Parquet, written column by column."""

from io import BytesIO
from typing import Final

import polars as pl

from domain.core.csv_rows import FORMULA_STARTS
from infra.report_files.tables import Kind, Table

_AMOUNT: Final = pl.Decimal(38, 18)
_STARTS: Final = sorted(FORMULA_STARTS)


def csv_bytes(table: Table, *, header: bool = True) -> bytes:
    """Return a table as CSV (RFC 4180, with line feeds): times in ISO 8601, amounts exact, nothing for None."""
    columns = [_csv_column(pl.col(name), kind) for name, kind in table.kinds.items()]
    return table.frame.select(columns).write_csv(include_header=header).encode()


def parquet_bytes(table: Table) -> bytes:
    """Return a table as Parquet: amounts as decimals of 18 places, halves to even, times in microseconds of UTC."""
    amounts = [name for name, kind in table.kinds.items() if kind is Kind.AMOUNT]
    data = BytesIO()
    table.frame.with_columns(pl.col(amounts).cast(_AMOUNT, strict=False)).write_parquet(data, compression="zstd")
    return data.getvalue()


def _csv_column(column: pl.Expr, kind: Kind) -> pl.Expr:
    if kind is Kind.TEXT:
        # As `text_cell` does: a spreadsheet takes it for no formula.
        return pl.when(column.str.head(1).is_in(_STARTS)).then("'" + column).otherwise(column).name.keep()
    if kind is Kind.TIME:
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").str.replace(".000000", "", literal=True)
    if kind is Kind.FLAG:
        return pl.when(column).then(pl.lit("True")).when(~column).then(pl.lit("False")).name.keep()
    return column
