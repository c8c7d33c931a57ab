// Builds the console into the folder that the engine serves, with the licences of what is in it and the hash of its sources.
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const FIRST_LOAD_BYTES = 400 * 1024;
const ROOT = ['build.mjs', 'index.html', 'package-lock.json', 'package.json', 'vite.config.ts'];
const out = process.argv[2] ?? '../infra/web/console/static';

const folders = new Set();
await build({
  logLevel: 'warn',
  build: { outDir: out },
  plugins: [{
    name: 'packages',
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        for (const module of Object.keys(chunk.modules ?? {})) {
          const match = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(module);
          if (match) folders.add(match[0].replaceAll('\0', ''));
        }
      }
    },
  }],
});
await writeFile(join(out, 'LICENSES.txt'), await licences([...folders].sort()));
await checkFirstLoad();
await writeFile(join(out, 'sources.sha256'), `${await sourcesHash()}\n`);

async function licences(packages) {
  let text = 'The console as served here is a bundle of these packages, each under its own licence.\n';
  for (const folder of packages) {
    const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const entries = (await readdir(folder)).filter(entry => /^(licen[cs]e|notice)/i.test(entry)).sort();
    const texts = await Promise.all(entries.map(entry => readFile(join(folder, entry), 'utf8')));
    text += `\n${'-'.repeat(80)}\n${name} ${version} (${license})\n\n${texts.join('\n').trim()}\n`;
  }
  return text;
}

// What the first page loads: the entry with all that it imports statically, its styles, and one language.
async function checkFirstLoad() {
  const path = join(out, '.vite', 'manifest.json');
  const manifest = JSON.parse(await readFile(path, 'utf8'));
  const files = new Set();
  const visit = name => {
    const { file, css = [], imports = [] } = manifest[name];
    if (files.has(file)) return;
    [file, ...css].forEach(each => files.add(each));
    imports.forEach(visit);
  };
  visit('index.html');
  visit('src/i18n/languages/en.ts');
  let bytes = 0;
  for (const file of files) bytes += gzipSync(await readFile(join(out, file))).length;
  await rm(join(out, '.vite'), { recursive: true });
  console.log(`first load: ${Math.round(bytes / 1024)} kB gzipped`);
  if (bytes > FIRST_LOAD_BYTES) throw new Error(`the first load is more than ${FIRST_LOAD_BYTES} bytes`);
}

// As infra/web/console/sources.py computes it.
async function sourcesHash() {
  const paths = [...ROOT];
  for (const folder of ['src', 'public']) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && !/\.(generated|test)\./.test(entry.name)) {
        paths.push(join(entry.parentPath ?? entry.path, entry.name).replaceAll('\\', '/'));
      }
    }
  }
  const digest = createHash('sha256');
  for (const path of paths.sort()) {
    const content = await readFile(path);
    digest.update(`${path} ${content.length}\n`).update(content);
  }
  return digest.digest('hex');
}
