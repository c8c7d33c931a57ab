import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, isEnumType } from 'graphql';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const schema = buildSchema(readFileSync(join(ROOT, '../../schema/schema.graphql'), 'utf8'));
const WORDS: [string, string, string][] = [
  ['RiskCode', 'reasons', 'risk'], ['RejectCode', 'reasons', 'reject'], ['CancelCode', 'screens/orders', 'cancelCode'],
  ['OrderStatus', 'screens/orders', 'status'], ['OrderType', 'screens/orders', 'type'], ['OrderEventKind', 'screens/orders', 'kind'],
];

describe.each(WORDS)('each %s of the schema', (name, folder, prefix) => {
  it.each(['en', 'fr'])('has words (%s), and none of the words is of another', language => {
    const type = schema.getType(name);
    const values = isEnumType(type) ? type.getValues().map(value => `${prefix}.${value.name}`) : [];
    const messages = JSON.parse(readFileSync(join(ROOT, folder, `messages.${language}.json`), 'utf8')) as Record<string, string>;
    expect(values.length).toBeGreaterThan(3);
    expect(Object.keys(messages).filter(key => key.startsWith(`${prefix}.`)).sort()).toEqual(values.sort());
    expect(values.filter(key => (messages[key] ?? '').length < 3)).toEqual([]);
  });
});
