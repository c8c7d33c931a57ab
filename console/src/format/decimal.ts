/** Decimals as the API writes them: strings, computed and shown exactly. Nothing here passes through a float. */
import Big from 'big.js';

Big.DP = 30;
Big.PE = 100; // plain notation
Big.NE = -100;

export type Decimal = string;
type Literal = Intl.StringNumericLiteral;

export function isDecimal(text: string): boolean {
  return /^-?(\d+\.?\d*|\.\d+)$/.test(text.trim());
}

/**
 * What was typed, with the language's decimal comma as a point. A comma that could separate thousands stays as it is, so that
 * it is refused: "1,000" must never become 1.
 */
export function typedDecimal(text: string, language: string): string {
  const trimmed = text.trim();
  const hasComma = new Intl.NumberFormat(language).formatToParts(0.5).some(({ type, value }) => type === 'decimal' && value === ',');
  return hasComma && /^[^.,]*,[^.,]*$/.test(trimmed) ? trimmed.replace(',', '.') : trimmed;
}

export const big = (value: Decimal | number): Big => new Big(value);
export const add = (a: Decimal, b: Decimal): Decimal => big(a).plus(b).toString();
export const subtract = (a: Decimal, b: Decimal): Decimal => big(a).minus(b).toString();
export const multiply = (a: Decimal, b: Decimal): Decimal => big(a).times(b).toString();
export const divide = (a: Decimal, b: Decimal): Decimal => big(a).div(b).toString();
export const compare = (a: Decimal, b: Decimal): number => big(a).cmp(b);
export const sign = (value: Decimal): -1 | 0 | 1 => big(value).cmp(0) as -1 | 0 | 1;

/** The greatest multiple of `increment` that isn't above `value` (which isn't negative). */
export function floorTo(value: Decimal, increment: Decimal): Decimal {
  return big(value).div(increment).round(0, Big.roundDown).times(increment).toString();
}

export function roundTo(value: Decimal, increment: Decimal): Decimal {
  return big(value).div(increment).round(0, Big.roundHalfUp).times(increment).toString();
}

/** How many digits after the point a multiple of `increment` may have. */
export function decimalsOf(increment: Decimal): number {
  return big(increment).toString().split('.')[1]?.length ?? 0;
}

export interface DecimalOptions {
  /** Always this many digits after the point; without it, as many as there are. */
  digits?: number | undefined;
  /** At most this many; what is cut off makes a value smaller, never a loss. */
  atMost?: number | undefined;
  signed?: boolean | undefined;
}

const formats = new Map<string, Intl.NumberFormat>();

/**
 * Writes a decimal in the way of the language. Rounding goes towards minus infinity, so a loss is never shown smaller
 * than it is nor a gain greater.
 */
export function formatDecimal(value: Decimal, language: string, { digits, atMost, signed }: DecimalOptions = {}): string {
  const key = `${language} ${digits} ${atMost} ${signed}`;
  let format = formats.get(key);
  if (!format) {
    const options = {
      minimumFractionDigits: digits ?? 0,
      maximumFractionDigits: digits ?? atMost ?? 20,
      signDisplay: signed ? 'exceptZero' : 'auto',
      roundingMode: 'floor',
    };
    formats.set(key, (format = new Intl.NumberFormat(language, options as Intl.NumberFormatOptions)));
  }
  return format.format(value as Literal);
}

/** For places on a screen (pixels, chart libraries), where a float is exact enough: never for what is computed or sent. */
export const toPixels = (value: Decimal): number => Number(value);

const compacts = new Map<string, Intl.NumberFormat>();

/** Writes large volumes shortly, such as 4.2M, cut off rather than rounded up. */
export function formatCompact(value: Decimal, language: string): string {
  let format = compacts.get(language);
  if (!format) {
    const options = { notation: 'compact', maximumSignificantDigits: 4, roundingMode: 'trunc' };
    compacts.set(language, (format = new Intl.NumberFormat(language, options as Intl.NumberFormatOptions)));
  }
  return format.format(value as Literal);
}
