import { describe, expect, it } from 'vitest';
import { completionsAt, signature, type Vocabulary } from './completion.ts';

const MACD = { name: 'macd', title: 'MACD', inputs: ['close'], parameters: [{ name: 'fastperiod', default: '12' }], outputs: ['macd', 'macdsignal', 'macdhist'] };
const EMA = { name: 'ema', title: 'EMA', inputs: ['close'], parameters: [{ name: 'timeperiod', default: '30' }], outputs: ['real'] };
const VOCABULARY: Vocabulary = { indicators: [MACD, EMA], parameters: ['fast'], parts: ['average'] };

const at = (text: string) => completionsAt(text, text.length, VOCABULARY);
const labels = (text: string) => at(text)?.choices.map(({ label }) => label);

describe('completion in a rule', () => {
  it('offers the names of the definition, series, words and functions, from the start of the word', () => {
    expect(at('close > em')?.from).toBe(8);
    expect(labels('close > em')).toEqual(expect.arrayContaining(['fast', 'average', 'close', 'and', 'crosses_above', 'ema', 'macd']));
  });

  it('offers the outputs of a function after its dot, over brackets within brackets', () => {
    expect(labels('macd(ema(close, 3)).ma')).toEqual(MACD.outputs);
    expect(labels('ichimoku().')).toEqual(['conversion', 'base', 'span_a', 'span_b']);
    expect(labels('position.pro')).toEqual(['bars', 'profit_percent', 'entry_price']);
  });

  it('offers series and functions for other candles, and not the definition\'s names', () => {
    expect(labels('tf("4h").')).toEqual(expect.arrayContaining(['close', 'ema']));
    expect(labels('market("ETH/USDT").tf("4h").')).not.toContain('average');
  });

  it('offers nothing in numbers and texts, nor after a function with one output', () => {
    expect([at('close > 1e'), at('tf("4'), at('ema(close).')]).toEqual([null, null, null]);
  });

  it('shows how a function is called', () => {
    expect(signature(EMA)).toBe('ema(close, timeperiod=30)');
  });
});
