import { createClient } from 'graphql-ws';
import WebSocket from 'ws'; // in Node.js; a browser has its own

export function socketClient(url, token) {
  let deadline; // a connection may be dead without anybody being told
  const client = createClient({
    url, // ws://127.0.0.1:8000/graphql
    connectionParams: { Authorization: `Bearer ${token}` },
    webSocketImpl: WebSocket,
    retryAttempts: 0, // resume() does it, with the new cursor
    keepAlive: 10_000,
    on: {
      ping: (received) => { if (!received) deadline = setTimeout(() => client.terminate(), 5_000); },
      pong: (received) => { if (received) clearTimeout(deadline); },
    },
  });
  return client;
}
