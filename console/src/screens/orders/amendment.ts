/** What of an order can be amended, and what was changed in the form. */
import { compare, isDecimal } from '../../format/decimal.ts';
import type { OrderRowFragment } from './orders.generated.ts';

export type AmendableOrder = Pick<OrderRowFragment, 'status' | 'type' | 'role' | 'quantity' | 'price' | 'stopPrice' | 'trailPercent' | 'trailAbsolute'>;
export interface Typed { quantity: string; price: string; stopPrice: string; trailing: string }
export interface Changes { quantity?: string; price?: string; stopPrice?: string; trailing?: { percent: string } | { absolute: string } }

const OPEN = new Set(['PENDING', 'OPEN', 'PARTIALLY_FILLED']);
/** Orders that protect or close a position are changed by what they are for. */
const OWN = new Set(['MANUAL', 'ENTRY', 'FOREIGN']);

export function isAmendable({ status, type, role }: Pick<AmendableOrder, 'status' | 'type' | 'role'>): boolean {
  return OPEN.has(status) && type !== 'MARKET' && OWN.has(role);
}

/** The fields that differ from the order's; null if none does, or if one can't be read. */
export function changesOf(order: AmendableOrder, typed: Typed): Changes | null {
  const trail = order.trailPercent ?? order.trailAbsolute;
  const isTrailing = order.type === 'TRAILING_STOP';
  const fields: [string, string, string | null][] = [
    ['quantity', typed.quantity, order.quantity], ['price', typed.price, order.price], ['stopPrice', typed.stopPrice, isTrailing ? null : order.stopPrice], ['trailing', typed.trailing, trail],
  ];
  const present = fields.filter(([, , before]) => before !== null);
  if (present.some(([, value]) => !isDecimal(value))) return null;
  const changed = present.filter(([, value, before]) => before !== null && compare(value, before) !== 0);
  if (changed.length === 0) return null;
  return Object.fromEntries(changed.map(([name, value]) => [name, name === 'trailing' ? (order.trailPercent !== null ? { percent: value } : { absolute: value }) : value]));
}
