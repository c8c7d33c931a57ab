import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IntlMessageFormat } from 'intl-messageformat';

const SOURCE = join(import.meta.dirname, '..');
const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' });
const folders = files.filter(name => name.endsWith('messages.en.json')).map(name => dirname(join(SOURCE, name)));
const read = (path: string): Record<string, string> => JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;

describe.each(folders)('the messages in %s', folder => {
  const english = read(join(folder, 'messages.en.json'));
  const others = files.filter(name => dirname(join(SOURCE, name)) === folder && /messages\.(?!en\.)\w+\.json$/.test(name));

  it('are there in every language', () => {
    expect(others.length).toBeGreaterThan(0);
    for (const name of others) expect(Object.keys(read(join(SOURCE, name))).sort()).toEqual(Object.keys(english).sort());
  });

  it('take the same values in every language', () => {
    const values = (message: string) => [...message.matchAll(/\{(\w+)[,}]/g)].map(match => match[1]).filter((each, index, all) => all.indexOf(each) === index).sort();
    for (const name of others) {
      const language = /messages\.(\w+)\.json$/.exec(name)?.[1] ?? '';
      for (const [key, message] of Object.entries(read(join(SOURCE, name)))) {
        expect(() => new IntlMessageFormat(message, language, undefined, { ignoreTag: true }), key).not.toThrow();
        expect(values(message), key).toEqual(values(english[key] ?? ''));
      }
    }
  });

  it('are all used', () => {
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => /\.tsx?$/.test(name) && !name.includes('.generated.'));
    const shell = folder.endsWith('shell') ? readFileSync(join(SOURCE, 'screens', 'registry.ts'), 'utf8') : '';
    const text = sources.map(name => readFileSync(join(folder, name), 'utf8')).join('\n') + shell;
    // A key is used as it is, or by what stands before its last point in a template: t(`status.${status}`).
    const isUsed = (key: string) => text.includes(`'${key}'`) || text.includes(`\`${key.slice(0, key.lastIndexOf('.') + 1)}\${`);
    expect(Object.keys(english).filter(key => !isUsed(key))).toEqual([]);
  });
});
