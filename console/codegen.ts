import type { CodegenConfig } from '@graphql-codegen/cli';

// Types and documents are generated beside each .graphql file, so that screens share no generated file.
const scalars = { Decimal: 'string', DateTime: 'string', MarketSymbol: 'string', Sequence: 'string', ID: 'string' };

const config: CodegenConfig = {
  schema: '../schema/schema.graphql',
  documents: 'src/**/*.graphql',
  generates: {
    'src/schema.generated.ts': { plugins: ['typescript'], config: { onlyOperationTypes: true, enumsAsTypes: true, scalars } },
    'src/': {
      preset: 'near-operation-file',
      presetConfig: { extension: '.generated.ts', baseTypesPath: 'schema.generated.ts' },
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        useTypeImports: true,
        enumType: 'string-literal',
        defaultScalarType: 'string',
        scalars,
      },
    },
  },
};
export default config;
