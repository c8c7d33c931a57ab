"""The identifiers of persisted documents: a SHA-256 hash of the text, or whatever a client's build tool made up."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

SHA256_PREFIX: Final = "sha256:"
_SHA256: Final = re.compile(f"(?:{SHA256_PREFIX})?([0-9a-fA-F]{{64}})")


@dataclass(frozen=True, slots=True)
class DocumentId:
    """An identifier as GraphQL over HTTP writes it: `sha256:` and the hash in hex, or one without a colon."""

    text: str
    is_automatic: bool = False
    """Whether it came by Apollo's protocol, whose clients send the document if the identifier isn't known."""

    @classmethod
    def parse(cls, text: str, *, is_automatic: bool = False) -> "DocumentId":
        """Return the identifier that a client or a file has; a hash alone, as Apollo writes it, is one too."""
        match = _SHA256.fullmatch(text)
        return cls(f"{SHA256_PREFIX}{match[1].lower()}" if match else text, is_automatic)

    @property
    def is_hash(self) -> bool:
        """Whether it is the hash of its document."""
        return _SHA256.fullmatch(self.text) is not None

    def belongs_to(self, document: str) -> bool:
        """Return whether it is the hash of this document."""
        return self.text == sha256_id(document)


def sha256_id(document: str) -> str:
    """Return the identifier that every document has, of its text byte by byte."""
    return SHA256_PREFIX + hashlib.sha256(document.encode(errors="surrogatepass")).hexdigest()
