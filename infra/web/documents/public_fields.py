"""Finds out whether a document has public fields alone: those whose answers may be shared."""

from graphql import DocumentNode, FieldNode, GraphQLField, GraphQLSchema, TypeInfo, TypeInfoVisitor, Visitor, visit


def is_public(field: GraphQLField) -> bool:
    """Return whether a field was marked with `metadata=PUBLIC` where it is defined; what isn't marked is private."""
    definition = field.extensions.get("strawberry-definition")
    return bool(getattr(definition, "metadata", {}).get("public"))


def all_public(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """Return whether every field of a valid document is public, also those of other operations in it."""
    info = TypeInfo(schema)
    found = _PrivateFields(info)
    visit(document, TypeInfoVisitor(info, found))
    return not found.any


class _PrivateFields(Visitor):
    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.any = False

    def enter_field(self, node: FieldNode, *_args: object) -> None:
        """Note a field that isn't public."""
        definition = self._info.get_field_def()
        if node.name.value != "__typename" and (definition is None or not is_public(definition)):
            self.any = True
