import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['**/*.generated.ts', 'build.mjs', 'eslint.config.js', 'node_modules'] },
  ...tseslint.configs.strict,
  {
    plugins: { 'react-hooks': hooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      'no-restricted-globals': ['error', { name: 'parseFloat', message: 'Money is exact: use the functions of src/format/decimal.ts.' }],
      eqeqeq: 'error',
    },
  },
);
