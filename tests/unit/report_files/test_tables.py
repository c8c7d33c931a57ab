"""The archives of a report's tables: exact amounts, the same rows in both formats, and fills that arrive in parts."""

import csv
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import polars as pl
import pytest

from domain.core.money import plain
from domain.model.order_side import OrderSide
from domain.model.orders import Fill
from domain.model.reports import ReportFormat
from domain.ports.report_files import TABLE_FORMATS
from infra.report_files import table_archives
from infra.report_files.table_archives import TableArchives
from infra.report_files.table_formats import csv_bytes, parquet_bytes
from infra.report_files.tables import FILL_COLUMNS, fill_table
from tests.support.fill_lines import fill_lines
from tests.support.report_documents import BTC, START, document, empty_document

SMALL = Decimal("0.000000012345678901")


def fill(number: int) -> Fill:
    return Fill(
        id=UUID(int=number), order_id=UUID(int=1), user_id=UUID(int=2), account_id=UUID(int=3), market=BTC,
        side=OrderSide.BUY, venue_trade_id=f"trade, {number}", at=START + number * timedelta(seconds=1), price=SMALL,
        quantity=Decimal(10) ** 19 + number, fee=Decimal("-0.5"), fee_currency="BNB", maker=None,
    )  # fmt: skip


def archive(format: ReportFormat, fills: int, part: int) -> dict[str, bytes]:
    writer, data = TableArchives(document(days=3, trips=4)), b""
    for start in range(0, fills, part):
        writer.add_fills(fill_lines([fill(number) for number in range(start, min(start + part, fills))]))
        data += writer.take(format)
    writer.close()
    return files(data + writer.take(format))


def files(data: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(data)) as made:
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
    monkeypatch.setattr(table_archives, "FILLS_A_FILE", 4)
    made = archive(ReportFormat.PARQUET, 10, 3)
    heights = [pl.read_parquet(BytesIO(data)).height for name, data in made.items() if name.startswith("fills")]
    assert heights == [6, 4]


def test_what_has_been_taken_is_no_longer_in_memory() -> None:
    writer = TableArchives(document(days=3))
    writer.add_fills(fill_lines([fill(number) for number in range(2_000)]))
    for kind in TABLE_FORMATS:
        assert writer.take(kind)
        assert writer.pending_bytes(kind) == 0


@pytest.mark.parametrize("format", TABLE_FORMATS)
def test_a_report_of_nothing_has_its_tables_without_rows(format: ReportFormat) -> None:
    writer = TableArchives(empty_document())
    writer.close()
    assert {name.partition(".")[0] for name in files(writer.take(format))} == {"figures", "equity", "round_trips"}


@pytest.mark.parametrize(
    "moment", [START, START + timedelta(microseconds=1), START + timedelta(milliseconds=500), START.replace(year=1969)]
)
def test_times_are_written_as_python_writes_them(moment: datetime) -> None:
    assert csv_of(replace(fill(1), at=moment))["at"] == moment.isoformat()


@pytest.mark.parametrize(
    ("name", "written"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("\tx", "'\tx"), ('a "b", c\nd', 'a "b", c\nd'), ("é=", "é="), ("-", "'-")],
)
def test_a_spreadsheet_takes_no_text_for_a_formula(name: str, written: str) -> None:
    made = replace(fill(1), venue_trade_id=name)
    assert csv_of(made)["venue_trade_id"] == written
    assert parquet_of(made)["venue_trade_id"] == name


@pytest.mark.parametrize(("maker", "written"), [(True, "True"), (False, "False"), (None, "")])
def test_flags_are_words_in_csv(maker: bool | None, written: str) -> None:
    made = replace(fill(1), maker=maker)
    assert (csv_of(made)["maker"], parquet_of(made)["maker"]) == (written, maker)


def test_more_places_than_parquet_has_are_rounded_halves_to_even() -> None:
    for text, rounded in (("0.0000000000000000005", "0"), ("0.0000000000000000015", "2E-18"), ("1E-18", "1E-18")):
        made = replace(fill(1), fee=Decimal(text))
        assert (csv_of(made)["fee"], parquet_of(made)["fee"]) == (plain(Decimal(text)), Decimal(rounded))


def csv_of(made: Fill) -> dict[str, str]:
    (row,) = csv.DictReader(StringIO(csv_bytes(fill_table(fill_lines([made]))).decode()))
    return row


def parquet_of(made: Fill) -> dict[str, Any]:
    return pl.read_parquet(BytesIO(parquet_bytes(fill_table(fill_lines([made]))))).row(0, named=True)
