"""Plain data in JSON and YAML: mappings, lists, texts, booleans and null.

Numbers are read and written as the text that stands in the file, so that none of their digits are lost.
"""

import codecs
import json
import re
from typing import Any

import yaml

from infra.strategy_files.errors import FieldError, quoted
from infra.strategy_files.formats import DocumentFormat

MAX_BYTES = 200_000
"""More than any valid definition takes."""

_WIDTH = 120
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")


class BadDocument(Exception):
    """Data that can't be read, and why."""

    def __init__(self, message: str) -> None:
        self.error = FieldError((), message)
        super().__init__(message)


class Number(str):
    """A number as a text, which is written without quotation marks where the format keeps all of its digits."""

    __slots__ = ()


def read_document(data: bytes, document_format: DocumentFormat) -> object:
    """Return the plain data in a file; raises `BadDocument`.

    YAML is read by its failsafe schema, and null: what is a number or true is decided by who uses it, so that a rule or
    a name is never taken for something else. Aliases, which can make a small file endlessly large, are refused.
    """
    if len(data) > MAX_BYTES:
        raise BadDocument(f"it is larger than {MAX_BYTES:,} bytes")
    try:
        text = data.decode(_encoding(data))
        if document_format is DocumentFormat.YAML:
            return _read_yaml(text)
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_mapping)
    except UnicodeDecodeError:
        raise BadDocument("it is no text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadDocument(f"it is no valid JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except yaml.YAMLError as error:
        raise BadDocument(f"it is no valid YAML: {_yaml_message(error)}") from None
    except RecursionError:
        raise BadDocument("it is nested too deeply") from None


def write_document(content: dict[str, Any], document_format: DocumentFormat) -> str:
    """Return the text of a file with the plain data."""
    if document_format is DocumentFormat.JSON:
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _encoding(data: bytes) -> str:
    """Return UTF-8, or what the first bytes name: PowerShell redirects a command's output as UTF-16."""
    return "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for name, value in pairs:
        if name in mapping:
            raise BadDocument(f"it has {quoted(name)} twice in one place")
        mapping[name] = value
    return mapping


class _Loader(yaml.BaseLoader):
    """Reads the failsafe schema and null."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose any node but an alias."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*name) can't be used here", mark)
        return super().compose_node(parent, index)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""])


class _Dumper(yaml.SafeDumper):
    """Writes numbers without quotation marks."""


def _represent_number(dumper: yaml.SafeDumper, number: Number) -> yaml.ScalarNode:
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in number else 'int'}", number)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(Number, _represent_number)
_Dumper.add_representer(str, _represent_text)


def _read_yaml(text: str) -> object:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    finally:
        loader.dispose()
    return None if node is None else _plain(node)


def _plain(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return _mapping([(_key(key), _plain(value)) for key, value in node.value])
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise BadDocument(f"a name is expected in line {node.start_mark.line + 1}, not a list or a mapping")
    return str(node.value)


def _yaml_message(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    if isinstance(error, yaml.reader.ReaderError):
        return f"the character U+{int(error.character):04X} can't be in it (at {error.position})"
    return str(error)
