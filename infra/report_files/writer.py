"""Writes the files of reports: see `domain.ports.report_files.ReportWriter`."""

from domain.model.report_documents import ReportDocument
from infra.report_files.page import report_page
from infra.report_files.table_archives import TableArchives


class ReportFileWriter:
    """Writes a page, and archives of tables."""

    def page(self, document: ReportDocument) -> bytes:
        return report_page(document)

    def tables(self, document: ReportDocument) -> TableArchives:
        return TableArchives(document)
