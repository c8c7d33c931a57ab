"""The `Info` of this schema's resolvers."""

from strawberry.types import Info as StrawberryInfo

from resolvers.context import RequestContext

Info = StrawberryInfo[RequestContext, None]
