import { createClient } from 'graphql-ws';
import WebSocket from 'ws'; // in Node.js; a browser has its own

export function socketClient(url, token, patience = 30_000) {
  let deadline; // a connection may be dead without anybody noticing: then nothing answers a ping
  const client = createClient({
    url, // ws://127.0.0.1:8000/graphql
    connectionParams: { Authorization: `Bearer ${token}` },
    webSocketImpl: WebSocket,
    retryAttempts: 0, // resume() does it, with the new cursor
    keepAlive: patience / 2,
    on: {
      ping: (received) => { if (!received) deadline = setTimeout(() => client.terminate(), patience / 2); },
      pong: (received) => { if (received) clearTimeout(deadline); },
      closed: () => clearTimeout(deadline),
    },
  });
  return client;
}
