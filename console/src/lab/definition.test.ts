import { describe, expect, it } from 'vitest';
import { DefinitionFileError, differences, fileText, parseFile, toInput } from './definition.ts';

const ANSWER = {
  __typename: 'StrategyDefinition', parameters: [{ __typename: 'StrategyParameter', name: 'fast', default: '12', min: '4', max: null }],
  let: [], enterLong: 'close > 3', exitLong: null, stopLoss: { percent: null, atrMultiple: '2', absolute: null }, sizing: { riskPercent: '1' },
};

describe('a definition', () => {
  it('of an answer can be sent back', () => {
    expect(toInput(ANSWER)).toEqual({
      parameters: [{ name: 'fast', default: '12', min: '4' }], let: [], enterLong: 'close > 3', stopLoss: { atrMultiple: '2' }, sizing: { riskPercent: '1' },
    });
  });

  it('is the same after a file of it is read', () => {
    const draft = { name: 'Cross', description: 'Of two', definition: toInput(ANSWER) };
    expect(parseFile(fileText(draft))).toEqual(draft);
  });

  it('has decimals as text, and counts as numbers', () => {
    expect(parseFile('{"maxHoldingBars": 3, "stopLoss": {"percent": 0.1}, "sizing": {"riskPercent": 1}}').definition)
      .toEqual({ maxHoldingBars: 3, stopLoss: { percent: '0.1' }, sizing: { riskPercent: '1' } });
  });

  it('is refused by the field that it does not know', () => {
    expect(() => parseFile('{"enterLng": "close > 3"}')).toThrow(new DefinitionFileError('unknown', 'enterLng'));
    expect(() => parseFile('enterLong: close')).toThrow(new DefinitionFileError('json'));
  });

  it('differs from another one by its leaves', () => {
    const after = { ...ANSWER, enterLong: 'close > 4', exitLong: 'close < 2', stopLoss: null };
    expect(differences(ANSWER, after)).toEqual([
      { path: 'enterLong', before: 'close > 3', after: 'close > 4' },
      { path: 'stopLoss.atrMultiple', before: '2', after: null },
      { path: 'exitLong', before: null, after: 'close < 2' },
    ]);
  });
});
