// The rules of @graphql-eslint for the printed schema: all of them but those below, each with its reason.
import graphqlPlugin from '@graphql-eslint/eslint-plugin';

const { configs, parser } = graphqlPlugin;

export default [
  {
    files: ['**/schema.graphql'],
    languageOptions: { parser, parserOptions: { graphQLConfig: { schema: './schema.graphql' } } },
    plugins: { '@graphql-eslint': graphqlPlugin },
    rules: {
      ...configs['flat/schema-all'].rules,
      ...configs['flat/schema-relay'].rules,
      // Fields and values stand in the order in which one thinks of them.
      '@graphql-eslint/alphabetize': 'off',
      // What implements Node has an id; pages, payloads and values are no objects of their own.
      '@graphql-eslint/strict-id-in-types': 'off',
      // Short lists that are always given as a whole are plain lists; candles and the like have no id.
      '@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false }],
      // A payload has what the mutation changed; there is nothing else to fetch anew.
      '@graphql-eslint/require-field-of-type-query-in-mutation-result': 'off',
      // A mutation that only names an object takes its `id`.
      '@graphql-eslint/input-name': 'off',
      // The engine has mutations and subscriptions.
      '@graphql-eslint/no-root-type': 'off',
      // `engine` and `strategyValidate` can't fail, so clients need not expect null.
      '@graphql-eslint/require-nullable-result-in-root': 'off',
      // `@oneOf` is the specification's.
      '@graphql-eslint/require-description': ['error', { types: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true, rootField: true }],
    },
  },
];
