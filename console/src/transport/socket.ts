/** The one WebSocket of the page, over which all subscriptions go. */
import { createClient, type Client } from 'graphql-ws';
import { getConnection, setConnection } from './connection.ts';
import { socketUrl } from './address.ts';

const PING_MS = 10_000;
const UNAUTHENTICATED_CLOSE = 4403;

export function createSocket(token: string | null, onUnauthenticated: () => void): Client {
  let pinged = 0;
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: socketUrl,
    connectionParams: token === null ? {} : { Authorization: `Bearer ${token}` },
    retryAttempts: 0, // resume() does it, with the new cursor
    keepAlive: PING_MS,
    on: {
      // While it comes back the connection is still lost, since the time at which it was.
      connecting: () => { if (getConnection().status !== 'lost') setConnection({ status: 'connecting' }); },
      connected: () => setConnection({ status: 'open' }),
      ping: received => {
        if (received) return;
        pinged = performance.now();
        // A connection may be dead without anybody noticing: then nothing answers a ping.
        deadline = setTimeout(() => client.terminate(), PING_MS);
      },
      pong: received => {
        if (!received) return;
        clearTimeout(deadline);
        setConnection({ latencyMs: performance.now() - pinged });
      },
      closed: event => {
        clearTimeout(deadline);
        const { code } = event as CloseEvent;
        setConnection({ status: code === 1000 ? 'idle' : 'lost', latencyMs: null });
        if (code === UNAUTHENTICATED_CLOSE) onUnauthenticated();
      },
    },
  });
  return client;
}
