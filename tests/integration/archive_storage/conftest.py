"""What the tests of both places of archived files share."""

from collections.abc import Iterator

import pytest

from tests.support.s3_server import S3Server, running_s3


@pytest.fixture(scope="package")
def s3_server() -> Iterator[S3Server]:
    """One server a process for all tests here; each has a prefix of its own."""
    with running_s3() as server:
        yield server
