"""References to types of other schema modules, which refer back to each other."""

from typing import Annotated, Any

import strawberry


def lazy(module: str, name: str) -> Any:  # noqa: ANN401  # an annotation, which is made at run time
    """Return the annotation of the type `name` of `schema.<module>`, which is read when the schema is built."""
    return Annotated[name, strawberry.lazy(f"schema.{module}")]
