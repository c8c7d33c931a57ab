/** What may stand at a place of a rule: from the engine's catalogue of indicators, the language's words, and the definition's names. */
export interface Indicator {
  name: string; title: string; inputs: readonly string[]; outputs: readonly string[];
  parameters: readonly { name: string; default: string }[];
}
export interface Choice { label: string; detail: string; kind: 'function' | 'constant' | 'variable' | 'keyword' | 'property' }
export interface Vocabulary { indicators: readonly Indicator[]; parameters: readonly string[]; parts: readonly string[] }

/** The language's own functions, as docs/strategies.md lists them, with what they return where that is more than one. */
const OWN: Record<string, { signature: string; outputs?: string[] }> = {
  abs: { signature: 'abs(x)' }, minimum: { signature: 'minimum(a, b, …)' }, maximum: { signature: 'maximum(a, b, …)' }, log: { signature: 'log(x)' },
  shift: { signature: 'shift(x, bars=1)' }, change: { signature: 'change(x, bars=1)' }, highest: { signature: 'highest(x, bars)' },
  lowest: { signature: 'lowest(x, bars)' }, crosses_above: { signature: 'crosses_above(a, b)' }, crosses_below: { signature: 'crosses_below(a, b)' },
  rising: { signature: 'rising(x, bars=1)' }, falling: { signature: 'falling(x, bars=1)' }, bars_since: { signature: 'bars_since(condition, bars=500)' },
  value_when: { signature: 'value_when(condition, x, bars=500)' }, vwap: { signature: 'vwap()' },
  trend: { signature: 'trend()', outputs: ['direction', 'strength', 'volatility'] },
  ichimoku: { signature: 'ichimoku(conversion=9, base=26, span=52, displacement=26)', outputs: ['conversion', 'base', 'span_a', 'span_b'] },
  tf: { signature: 'tf("4h")' }, market: { signature: 'market("BTC/USDT")' },
};
const SERIES = ['open', 'high', 'low', 'close', 'volume', 'hl2', 'hlc3', 'ohlc4', 'hour', 'minute', 'weekday'];
const LOGIC = ['and', 'or', 'not', 'if', 'else'];
const POSITION = ['bars', 'profit_percent', 'entry_price'];

export const signature = ({ name, inputs, parameters }: Indicator): string =>
  `${name}(${[...inputs, ...parameters.map(each => `${each.name}=${each.default}`)].join(', ')})`;

/** What fits the word that ends at `position`, and where that word begins; null where nothing is to be completed. */
export function completionsAt(text: string, position: number, vocabulary: Vocabulary): { from: number; choices: Choice[] } | null {
  const before = text.slice(0, position);
  const word = /[A-Za-z_]\w*$/.exec(before)?.[0] ?? '';
  const from = position - word.length;
  if (/(^|[^\w.])\d[\w.]*$/.test(before) || isInString(before)) return null;
  if (before[from - 1] !== '.') return { from, choices: words(vocabulary) };
  const owner = ownerOf(before.slice(0, from - 1));
  if (owner === 'position') return { from, choices: POSITION.map(property) };
  if (owner === 'tf' || owner === 'market') return { from, choices: words(vocabulary).filter(({ kind }) => kind === 'function' || kind === 'constant') };
  const outputs = OWN[owner]?.outputs ?? vocabulary.indicators.find(({ name }) => name === owner)?.outputs ?? [];
  return outputs.length > 1 ? { from, choices: outputs.map(property) } : null;
}

const property = (label: string): Choice => ({ label, detail: '', kind: 'property' });
const isInString = (text: string): boolean => (text.match(/["']/g)?.length ?? 0) % 2 === 1;

function words({ indicators, parameters, parts }: Vocabulary): Choice[] {
  const library = indicators.filter(({ name }) => !(name in OWN));
  return [
    ...parameters.map(label => ({ label, detail: '', kind: 'variable' as const })),
    ...parts.map(label => ({ label, detail: '', kind: 'variable' as const })),
    ...SERIES.map(label => ({ label, detail: '', kind: 'constant' as const })),
    ...LOGIC.map(label => ({ label, detail: '', kind: 'keyword' as const })),
    { label: 'position', detail: 'position.bars', kind: 'constant' },
    ...Object.entries(OWN).map(([label, { signature: detail }]) => ({ label, detail, kind: 'function' as const })),
    ...library.map(each => ({ label: each.name, detail: `${signature(each)} · ${each.title}`, kind: 'function' as const })),
  ];
}

/** The name of what ends at the end of `text`: `macd` for `3 < macd(ema(close, 2))`. */
function ownerOf(text: string): string {
  let end = text.length;
  if (text.endsWith(')')) {
    let depth = 0;
    do {
      end -= 1;
      depth += text[end] === ')' ? 1 : text[end] === '(' ? -1 : 0;
    } while (end > 0 && depth > 0);
  }
  return /[A-Za-z_]\w*$/.exec(text.slice(0, end))?.[0] ?? '';
}
