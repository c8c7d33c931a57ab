// Bundles GraphiQL, React and graphql-ws into ../static, with the licences of all that is in the bundle.
import { build } from 'esbuild';
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const out = process.argv[2] ?? '../static';
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const { metafile } = await build({
  entryPoints: { graphiql: 'main.jsx' },
  bundle: true,
  minify: true,
  format: 'esm',
  splitting: false,
  target: 'es2022',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.woff': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' },
  legalComments: 'none',
  metafile: true,
  outdir: out,
});
await copyFile('index.html', join(out, 'index.html'));

const folders = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const match = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input);
  if (match) folders.add(match[0]);
}
let text = 'GraphiQL as served here is a bundle of these packages, each under its own licence.\n';
for (const folder of [...folders].sort()) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find(entry => /^licen[cs]e/i.test(entry));
  const licence = file ? await readFile(join(folder, file), 'utf8') : '';
  text += `\n${'-'.repeat(80)}\n${name} ${version} (${license})\n\n${licence.trim()}\n`;
}
await writeFile(join(out, 'LICENSES.txt'), text);
