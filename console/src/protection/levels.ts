/** What protects a position: the levels in force, and what they would lose or gain. */
import { big, compare, divide, isDecimal, multiply, subtract, type Decimal } from '../format/decimal.ts';
import type { ProtectedPositionFragment } from './protection.generated.ts';

export type Protection = NonNullable<ProtectedPositionFragment['protections']>[number];
export type LevelKind = 'stopLoss' | 'takeProfit' | 'trailing';
export interface Level { kind: LevelKind; price: Decimal }
/** A level as it is typed: a price, or percents of the position's mean price (of the best price, for a trailing stop). */
export interface Given { value: string; isPercent: boolean }

/** Where a trailing stop stands: below the best price so far. */
export function trailingPrice({ highWater, trailPercent, trailAbsolute }: Pick<Protection, 'highWater' | 'trailPercent' | 'trailAbsolute'>): Decimal | null {
  if (highWater === null) return null;
  if (trailPercent !== null) return multiply(highWater, subtract('1', divide(trailPercent, '100')));
  return trailAbsolute === null ? null : subtract(highWater, trailAbsolute);
}

export const inForce = (protections: readonly Protection[] | null): readonly Protection[] => (protections ?? []).filter(({ endedAt }) => endedAt === null);

/** All levels in force, of brackets and of the whole position. */
export function levelsOf(protections: readonly Protection[] | null): Level[] {
  return inForce(protections).flatMap(protection => {
    const found: [LevelKind, Decimal | null][] = [['stopLoss', protection.stopLossPrice], ['takeProfit', protection.takeProfitPrice], ['trailing', trailingPrice(protection)]];
    return found.flatMap(([kind, price]) => (price === null ? [] : [{ kind, price }]));
  });
}

/** What `positionProtect` has set: that of the whole position. Brackets of orders have a quantity of their own. */
export function setByHand(protections: readonly Protection[] | null): Protection | null {
  return inForce(protections).find(({ quantity }) => quantity === null) ?? null;
}

/** The price of a typed level; null as long as it isn't known. `direction` is 1 for what lies above the mean price. */
export function priceOf({ value, isPercent }: Given, mean: Decimal | null, direction: 1 | -1): Decimal | null {
  if (!isDecimal(value)) return null;
  if (!isPercent) return value;
  return mean === null ? null : multiply(mean, big(divide(value, '100')).times(direction).plus(1).toString());
}

/** What closing the position at a price would gain, before fees; negative for a loss. */
export function outcomeAt(price: Decimal, mean: Decimal, quantity: Decimal): Decimal {
  return multiply(subtract(price, mean), quantity);
}

/** Whether the market has passed a level of a long position, so that the engine would refuse it. */
export function isPassed(price: Decimal, market: Decimal | null, direction: 1 | -1): boolean {
  return market !== null && compare(price, market) * direction <= 0;
}
