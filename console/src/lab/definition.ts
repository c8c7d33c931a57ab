/** Strategy definitions: from what the API returns to what it takes, from and to files, and what differs between two. */
import type { StrategyDefinitionInput } from '../schema.generated.ts';

export type Definition = StrategyDefinitionInput;
export interface Draft { name: string; description: string; definition: Definition }
export interface Difference { path: string; before: string | null; after: string | null }

/** Fields that are counts; all other numbers of a file are decimals, which travel as strings. */
const COUNTS = new Set(['maxHoldingBars', 'count', 'giveUpAfterSeconds']);
const FIELDS = new Set([
  'parameters', 'let', 'enterLong', 'exitLong', 'enterShort', 'exitShort', 'stopLoss', 'takeProfit', 'trailingStop',
  'maxHoldingBars', 'sizing', 'order', 'adds', 'targets', 'warmUpTolerance', 'protectAt',
]);

export const EMPTY: Definition = { parameters: [], let: [], enterLong: '', exitLong: '', sizing: { equityPercent: '10' } };

export class DefinitionFileError extends Error {
  constructor(readonly code: 'json' | 'object' | 'unknown', readonly field = '') { super(`${code} ${field}`); }
}

/** What of the answer may be sent: without nulls and type names, rules that are empty left out. */
export function toInput(definition: object): Definition {
  const entries = Object.entries(clean(definition) as object).filter(([name, value]) => FIELDS.has(name) && value !== '');
  return Object.fromEntries(entries) as unknown as Definition;
}

function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([name, each]) => name !== '__typename' && each !== null && each !== undefined);
  return Object.fromEntries(entries.map(([name, each]) => [name, clean(each)]));
}

/** Reads a file as `r3edge strategy export` writes it. */
export function parseFile(text: string): Draft {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new DefinitionFileError('json');
  }
  if (file === null || typeof file !== 'object' || Array.isArray(file)) throw new DefinitionFileError('object');
  const { name, description, ...rest } = file as Record<string, unknown>;
  delete rest['$schema'];
  const unknown = Object.keys(rest).find(field => !FIELDS.has(field));
  if (unknown !== undefined) throw new DefinitionFileError('unknown', unknown);
  return {
    name: typeof name === 'string' ? name : '',
    description: typeof description === 'string' ? description : '',
    definition: toInput(decimals(rest) as object),
  };
}

function decimals(value: unknown, field = ''): unknown {
  if (typeof value === 'number') return COUNTS.has(field) ? value : String(value);
  if (Array.isArray(value)) return value.map(each => decimals(each, field));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, decimals(each, name)]));
}

export function fileText({ name, description, definition }: Draft): string {
  return `${JSON.stringify({ name, ...(description && { description }), ...toInput(definition) }, null, 2)}\n`;
}

/** Each leaf that is not alike in both, such as `parameters.0.max`, in the order of the fields. */
export function differences(before: object, after: object): Difference[] {
  const [from, to] = [leaves(toInput(before)), leaves(toInput(after))];
  const paths = [...new Set([...from.keys(), ...to.keys()])];
  return paths.filter(path => from.get(path) !== to.get(path))
    .map(path => ({ path, before: from.get(path) ?? null, after: to.get(path) ?? null }));
}

function leaves(value: unknown, path = '', found = new Map<string, string>()): Map<string, string> {
  if (value !== null && typeof value === 'object') {
    for (const [name, each] of Object.entries(value)) leaves(each, path ? `${path}.${name}` : name, found);
  } else if (value !== undefined && value !== null) {
    found.set(path, String(value));
  }
  return found;
}
