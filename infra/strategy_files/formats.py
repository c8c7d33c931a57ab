"""The formats of a strategy's file."""

from enum import StrEnum


class DocumentFormat(StrEnum):
    """The format of a file."""

    JSON = "json"
    YAML = "yaml"

    @classmethod
    def of_name(cls, name: str) -> "DocumentFormat":
        """Return the format by the end of a file's name: YAML for `.yaml` and `.yml`, otherwise JSON."""
        return cls.YAML if name.lower().endswith((".yaml", ".yml")) else cls.JSON
