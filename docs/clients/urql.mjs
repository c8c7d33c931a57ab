import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { resume } from './resume.mjs';

export function urqlClient(url, token, socketClient) {
  return new Client({
    url,
    fetchOptions: { headers: { Authorization: `Bearer ${token}` } },
    exchanges: [
      cacheExchange({ keys: { OrderEvent: () => null, OrderState: () => null } }), // a state belongs to its event
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (request) => ({ subscribe: (sink) => ({ unsubscribe: resume(socketClient, request, sink) }) }),
      }),
    ],
  });
}
