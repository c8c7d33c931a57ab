// All rules of graphql-schema-linter but those that sort: fields and values stand in the order in which one thinks of them.
module.exports = {
  rules: [
    'arguments-have-descriptions', 'defined-types-are-used', 'deprecations-have-a-reason', 'descriptions-are-capitalized',
    'enum-values-all-caps', 'enum-values-have-descriptions', 'fields-are-camel-cased', 'fields-have-descriptions',
    'input-object-values-are-camel-cased', 'input-object-values-have-descriptions', 'interface-fields-sorted-alphabetically',
    'relay-connection-types-spec', 'relay-connection-arguments-spec', 'relay-page-info-spec', 'types-are-capitalized', 'types-have-descriptions',
  ],
};
