import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { DepthDocument, ObjectDocument, OrdersDocument, PlaceOrderDocument, type OrderPlaceInput } from './generated';

declare function run<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data>;

export async function firstOrder(): Promise<string | null> {
  const { viewer } = await run(OrdersDocument, { first: 10 });
  const order = viewer?.orders?.nodes[0];
  return order ? `${order.quantity} of ${order.market.symbol}` : null;
}

export async function accountName(id: string): Promise<string | null> {
  const { node } = await run(ObjectDocument, { id });
  return node?.__typename === 'Account' ? node.name : null;
}

export async function place(account: string): Promise<readonly string[]> {
  const input: OrderPlaceInput = { account, market: 'sandbox:BTC/USDT', side: 'BUY', type: 'MARKET', quantity: '0.01', idempotencyKey: 'a key' };
  const { orderPlace } = await run(PlaceOrderDocument, { input });
  return orderPlace?.errors.map((error) => `${error.code} ${error.message}`) ?? [];
}

export async function bestBid(): Promise<string | undefined> {
  const { marketDepth } = await run(DepthDocument, { market: 'sandbox:BTC/USDT' });
  return marketDepth.__typename === 'MarketDepthSnapshot' ? marketDepth.bids[0]?.price : undefined;
}

// @ts-expect-error a quantity is a text, never a number
export const wrong = run(PlaceOrderDocument, { input: { account: 'x', market: 'y', side: 'BUY', type: 'MARKET', quantity: 0.01 } });
