/** How large an order is, by amount, percent or risk: always rounded down to what the market can trade. */
import { big, divide, floorTo, isDecimal, multiply, sign, subtract, type Decimal } from '../../format/decimal.ts';

export type SizedBy = 'amount' | 'percent' | 'risk';

export interface SizingInput {
  side: 'BUY' | 'SELL';
  by: SizedBy;
  /** What was typed: a quantity of the base, or percents. */
  value: string;
  /** What the order is reckoned at: its limit, or the other side's best price. */
  price: Decimal | null;
  /** The stop-loss, for a size by risk. */
  stop: Decimal | null;
  freeBase: Decimal;
  freeQuote: Decimal;
  equity: Decimal | null;
  takerFeePercent: Decimal | null;
  quantityIncrement: Decimal;
}

export type SizingError = 'value' | 'price' | 'stop' | 'equity';
export type Sizing = { quantity: Decimal } | { missing: SizingError };

export function sizeOrder({ side, by, value, price, stop, freeBase, freeQuote, equity, takerFeePercent, quantityIncrement }: SizingInput): Sizing {
  if (!isDecimal(value) || sign(value) <= 0) return { missing: 'value' };
  if (by === 'amount') return { quantity: value };
  const share = divide(value, '100');
  if (by === 'percent' && side === 'SELL') return { quantity: floorTo(multiply(freeBase, share), quantityIncrement) };
  if (price === null || sign(price) <= 0) return { missing: 'price' };
  if (by === 'percent') {
    // The fee is taken from what is free too, so that 100 % can be paid.
    const cost = multiply(price, big(1).plus(divide(takerFeePercent ?? '0', '100')).toString());
    return { quantity: floorTo(divide(multiply(freeQuote, share), cost), quantityIncrement) };
  }
  if (stop === null) return { missing: 'stop' };
  const loss = side === 'BUY' ? subtract(price, stop) : subtract(stop, price);
  if (sign(loss) <= 0) return { missing: 'stop' };
  if (equity === null) return { missing: 'equity' };
  return { quantity: floorTo(divide(multiply(equity, share), loss), quantityIncrement) };
}

/** The price of a stop-loss that is given as a price or as percents of the entry. */
export function stopPrice(side: 'BUY' | 'SELL', entry: Decimal | null, given: string, isPercent: boolean): Decimal | null {
  if (!isDecimal(given)) return null;
  if (!isPercent) return given;
  if (entry === null) return null;
  const factor = side === 'BUY' ? subtract('1', divide(given, '100')) : big(1).plus(divide(given, '100')).toString();
  return multiply(entry, factor);
}
