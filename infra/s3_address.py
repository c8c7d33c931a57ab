"""The address of a place in S3: `s3://bucket/prefix`."""

import re
from dataclasses import dataclass
from typing import Final

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_ADDRESS: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(/(?!\.{1,2}(/|$))[\w.-]+)*)/?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket, and what the names of all objects in it begin with; the prefix has no slash at its ends."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    @classmethod
    def parse(cls, text: str) -> "S3Address":
        """Return the address that `text` writes; raises ValueError."""
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not s3://bucket/prefix")
        return cls(found["bucket"], found["prefix"].strip("/"))
