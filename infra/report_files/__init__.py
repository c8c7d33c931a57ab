"""The files of a report: a page for reading, and tables for other programs."""
