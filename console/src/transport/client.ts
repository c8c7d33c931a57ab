/** urql with its normalised cache over the engine's HTTP, and its subscriptions over the WebSocket. */
import { cacheExchange } from '@urql/exchange-graphcache';
import { Client, fetchExchange, mapExchange, subscriptionExchange, type CombinedError, type ExecutionResult } from '@urql/core';
import type { Client as SocketClient } from 'graphql-ws';
import { graphqlUrl } from './address.ts';
import { resume } from './resume.ts';
import { createSocket } from './socket.ts';

export interface Transport {
  client: Client;
  socket: SocketClient;
}

/** Types that aren't objects of the graph: they belong to what they stand in. A new one is named by a warning in development. */
const EMBEDDED = new Proxy({} as Record<string, () => null>, {
  get: (_target, type) => (NODES.has(String(type)) ? undefined : () => null),
  has: (_target, type) => !NODES.has(String(type)),
});
/** Types with an `id` that is theirs alone. */
const NODES = new Set([
  'Account', 'AccountTransfer', 'Activity', 'AlertRule', 'ApiKey', 'Backtest', 'ChannelDelivery', 'DataExport', 'Engine', 'Fill',
  'Invitation', 'Job', 'LinkedIdentity', 'LoginSession', 'ManagedUser', 'Market', 'NotificationChannel', 'Optimization', 'Order',
  'PlanChange', 'Position', 'Report', 'ReportSchedule', 'Signal', 'SignalWebhook', 'Strategy', 'StrategyVersion', 'TradingSession',
  'User', 'Venue',
]);

export function isUnauthenticated(error: CombinedError): boolean {
  return error.graphQLErrors.some(({ extensions }) => extensions['code'] === 'UNAUTHENTICATED');
}

export function createTransport(token: string | null, onUnauthenticated: () => void): Transport {
  const socket = createSocket(token, onUnauthenticated);
  const client = new Client({
    url: graphqlUrl,
    preferGetMethod: false,
    fetchOptions: () => (token === null ? {} : { headers: { authorization: `Bearer ${token}` } }),
    exchanges: [
      mapExchange({ onError: error => { if (token !== null && isUnauthenticated(error)) onUnauthenticated(); } }),
      cacheExchange({ keys: EMBEDDED }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: sink => {
            const stop = resume(socket, { query: query ?? '', variables: variables as Record<string, unknown> }, {
              next: result => sink.next(result as ExecutionResult),
              error: error => sink.error(error),
              complete: () => sink.complete(),
            });
            return { unsubscribe: stop };
          },
        }),
      }),
    ],
  });
  return { client, socket };
}
