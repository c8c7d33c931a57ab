import { describe, expect, it } from 'vitest';
import { floorTo, formatCompact, formatDecimal, isDecimal, typedDecimal } from './decimal.ts';

describe('a decimal', () => {
  it('is written with all of its digits, which no float could hold', () => {
    expect(formatDecimal('12345678901234567890.123456789012345678', 'en')).toBe('12,345,678,901,234,567,890.123456789012345678');
  });
  it('shows a loss that is smaller than a cent as a loss', () => {
    expect(formatDecimal('-0.001', 'en', { digits: 2 })).toBe('-0.01');
  });
  it('shows no gain that is not whole', () => {
    expect(formatDecimal('0.019', 'en', { digits: 2, signed: true })).toBe('+0.01');
  });
  it('is written in the way of the language', () => {
    expect(formatDecimal('1234.5', 'fr', { digits: 2 }).replace(/\s/g, ' ')).toBe('1 234,50');
  });
  it('is cut to a whole number of increments', () => {
    expect(floorTo('0.0199999', '0.00001')).toBe('0.01999');
  });
  it('is cut off and not rounded up where it is shortened', () => {
    expect(formatCompact('1999999', 'en')).toBe('1.999M');
  });
});

describe('a typed decimal', () => {
  it('takes the comma of a language that writes decimals so', () => {
    expect(typedDecimal(' 0,5 ', 'fr')).toBe('0.5');
    expect(typedDecimal('0.5', 'fr')).toBe('0.5');
  });
  it('is refused where a comma may separate thousands', () => {
    for (const [text, language] of [['1,000', 'en'], ['1,000.5', 'en'], ['1.000,5', 'fr'], ['1,000,000', 'fr']] as const) {
      expect(isDecimal(typedDecimal(text, language)), `${text} in ${language}`).toBe(false);
    }
  });
});
