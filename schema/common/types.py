"""What all areas import: the `Info` of resolvers, and references to types of other areas."""

from typing import Annotated, Any

import strawberry
from strawberry.types import Info as StrawberryInfo

from resolvers.context import RequestContext

Info = StrawberryInfo[RequestContext, None]


def lazy(module: str, name: str) -> Any:  # noqa: ANN401  # an annotation, which is made at run time
    """Return the annotation of the type `name` of `schema.<module>`, which is read when the schema is built."""
    return Annotated[name, strawberry.lazy(f"schema.{module}")]
