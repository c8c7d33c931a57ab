"""The tables of a report, as zip archives of CSV and of Parquet files that are written in parts."""

from typing import Final

import polars as pl

from domain.core.archive import Archive
from domain.model.fill_lines import FillLines
from domain.model.report_documents import ReportDocument
from domain.model.reports import ReportFormat
from infra.report_files.table_formats import csv_bytes, parquet_bytes
from infra.report_files.tables import Table, fill_table, tables_of

FILLS_A_FILE: Final = 100_000
"""Parquet files have their index at the end, so that many fills are in several files."""


class TableArchives:
    """See `domain.ports.report_files.TableWriter`."""

    def __init__(self, document: ReportDocument) -> None:
        self._csv, self._parquet = Archive(document.generated_at), Archive(document.generated_at)
        self._archives = {ReportFormat.CSV: self._csv, ReportFormat.PARQUET: self._parquet}
        self._waiting: list[Table] = []
        self._has_fills = False
        self._files = 0
        for table in tables_of(document):
            self._begin_csv(table)
            self._write_parquet(table)

    def add_fills(self, fills: FillLines) -> None:
        if not fills.count:
            return
        table = fill_table(fills)
        if self._has_fills:
            self._csv.write_bytes(csv_bytes(table, header=False))
        else:
            self._begin_csv(table)
            self._has_fills = True
        self._waiting.append(table)
        if sum(table.frame.height for table in self._waiting) >= FILLS_A_FILE:
            self._write_fills()

    def close(self) -> None:
        if self._waiting:
            self._write_fills()
        for archive in self._archives.values():
            archive.close()

    def pending_bytes(self, format: ReportFormat) -> int:
        return self._archives[format].pending_bytes

    def take(self, format: ReportFormat) -> bytes:
        return self._archives[format].take()

    def _begin_csv(self, table: Table) -> None:
        self._csv.begin(f"{table.name}.csv")
        self._csv.write_bytes(csv_bytes(table))

    def _write_fills(self) -> None:
        self._files += 1
        frame = pl.concat([table.frame for table in self._waiting])
        self._write_parquet(Table(f"fills-{self._files:04}", self._waiting[0].kinds, frame))
        self._waiting = []

    def _write_parquet(self, table: Table) -> None:
        self._parquet.begin(f"{table.name}.parquet", compress=False)
        self._parquet.write_bytes(parquet_bytes(table))
