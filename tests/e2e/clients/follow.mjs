// Follows `orderEvents` with one of the recipes of docs/clients, and writes a line for each event.
// node follow.mjs CLIENT URL TOKEN CURSOR
import { gql } from '@apollo/client';
import { apolloClient } from './apollo.mjs';
import { eventClient } from './graphql-sse.mjs';
import { socketClient } from './graphql-ws.mjs';
import { resume } from './resume.mjs';
import { urqlClient } from './urql.mjs';

const [name, url, token, after] = process.argv.slice(2);
const EVENTS = `subscription Events($after: String) { orderEvents(after: $after) {
  cursor sequence order { id status revision current { id status revision } } } }`;
const ORDERS = '{ viewer { id orders(first: 100) { nodes { id status revision } } } }';
const ORDER = 'fragment Cached on Order { id status revision }';
const variables = { after };
const socket = () => socketClient(url.replace('http', 'ws'), token);

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const sink = {
  next: ({ data, errors }) => write(errors ? { errors } : { sequence: Number(data.orderEvents.sequence) }),
  error: (error) => write({ error: `${error}`, code: error.code ?? error.response?.status }),
  complete: () => write({ complete: true }),
};

const codes = ({ errors, graphQLErrors }) => (errors ?? graphQLErrors ?? []).map(({ extensions }) => extensions.code);

// What the normalised cache says of the event's order after the event, where it has it.
const cached = (read) => ({ data, error }) => {
  if (error) return write({ error: `${error}`, code: error.networkError?.code ?? error.code ?? codes(error) });
  const { sequence, order } = data.orderEvents;
  write({ sequence: Number(sequence), order: order.id, then: Number(order.revision), cached: read(order.id)?.revision ?? null });
};

const clients = {
  'graphql-ws': () => resume(socket(), { query: EVENTS, variables }, sink),
  'graphql-sse': () => resume(eventClient(url, token), { query: EVENTS, variables }, sink),
  apollo: async () => {
    const client = apolloClient(url, token, socket());
    await client.query({ query: gql(ORDERS) });
    const read = (id) => client.readFragment({ id: `Order:${id}`, fragment: gql(ORDER) });
    client.subscribe({ query: gql(EVENTS), variables }).subscribe({ ...sink, next: cached(read) });
  },
  urql: async () => {
    const client = urqlClient(url, token, socket());
    await client.query(ORDERS, {}).toPromise();
    const read = (id) => client.readQuery(ORDERS, {}).data.viewer.orders.nodes.find((order) => order.id === id);
    client.subscription(EVENTS, variables).subscribe(cached(read));
  },
};
await clients[name]();
