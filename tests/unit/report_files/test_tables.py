"""The archives of a report's tables: exact amounts, the same rows in both formats, and fills that arrive in parts."""

import csv
from datetime import timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from uuid import UUID
from zipfile import ZipFile

import polars as pl
import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import Fill
from domain.model.reports import ReportFormat
from infra.report_files import tables
from infra.report_files.tables import FILL_COLUMNS, TableArchive
from tests.support.report_documents import BTC, START, document, empty_document

SMALL = Decimal("0.000000012345678901")


def fill(number: int) -> Fill:
    return Fill(
        id=UUID(int=number), order_id=UUID(int=1), user_id=UUID(int=2), account_id=UUID(int=3), market=BTC,
        side=OrderSide.BUY, venue_trade_id=f"trade, {number}", at=START + number * timedelta(seconds=1), price=SMALL,
        quantity=Decimal(10) ** 19 + number, fee=Decimal("-0.5"), fee_currency="BNB", maker=None,
    )  # fmt: skip


def archive(format: ReportFormat, fills: int, part: int) -> dict[str, bytes]:
    writer, data = TableArchive(document(days=3, trips=4), format), b""
    for start in range(0, fills, part):
        writer.add_fills([fill(number) for number in range(start, min(start + part, fills))])
        data += writer.take()
    writer.close()
    with ZipFile(BytesIO(data + writer.take())) as made:
        return {name: made.read(name) for name in made.namelist()}


def test_both_formats_have_the_same_rows() -> None:
    rows, typed = archive(ReportFormat.CSV, 7, 3), archive(ReportFormat.PARQUET, 7, 3)
    for name in ("figures", "equity", "round_trips", "benchmark"):
        lines = list(csv.DictReader(StringIO(rows[f"{name}.csv"].decode())))
        frame = pl.read_parquet(BytesIO(typed[f"{name}.parquet"]))
        assert frame.columns == list(lines[0])
        assert frame.height == len(lines)
    equity = pl.read_parquet(BytesIO(typed["equity.parquet"]))
    exact = [Decimal(line["equity"]) for line in csv.DictReader(StringIO(rows["equity.csv"].decode()))]
    assert equity["equity"].to_list() == exact


def test_fills_are_exact_however_large_and_small() -> None:
    rows = list(csv.DictReader(StringIO(archive(ReportFormat.CSV, 7, 3)["fills.csv"].decode())))
    frame = pl.read_parquet(BytesIO(archive(ReportFormat.PARQUET, 7, 3)["fills-0001.parquet"]))
    assert list(rows[0]) == frame.columns == list(FILL_COLUMNS)
    for number, (row, typed) in enumerate(zip(rows, frame.iter_rows(named=True), strict=True)):
        made = fill(number)
        assert (row["price"], row["quantity"], row["venue_trade_id"], row["maker"]) == (
            f"{SMALL:f}", str(made.quantity), made.venue_trade_id, "",
        )  # fmt: skip
        assert (typed["price"], typed["quantity"], typed["at"], typed["maker"]) == (
            SMALL, made.quantity, made.at, None,
        )  # fmt: skip


def test_many_fills_are_in_several_parquet_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FILLS_A_FILE", 4)
    made = archive(ReportFormat.PARQUET, 10, 3)
    heights = [pl.read_parquet(BytesIO(data)).height for name, data in made.items() if name.startswith("fills")]
    assert heights == [6, 4]


def test_what_has_been_taken_is_no_longer_in_memory() -> None:
    writer = TableArchive(document(days=3), ReportFormat.CSV)
    writer.add_fills([fill(number) for number in range(2_000)])
    assert writer.take()
    assert writer.pending_bytes == 0


@pytest.mark.parametrize("format", [ReportFormat.CSV, ReportFormat.PARQUET])
def test_a_report_of_nothing_has_its_tables_without_rows(format: ReportFormat) -> None:
    writer = TableArchive(empty_document(), format)
    writer.close()
    with ZipFile(BytesIO(writer.take())) as made:
        assert {name.partition(".")[0] for name in made.namelist()} == {"figures", "equity", "round_trips"}
