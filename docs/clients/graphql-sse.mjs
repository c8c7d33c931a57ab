import { createClient } from 'graphql-sse';

export function eventClient(url, token) {
  return createClient({
    url, // http://127.0.0.1:8000/graphql
    headers: { Authorization: `Bearer ${token}` },
    retryAttempts: 0, // resume() does it, with the new cursor
  });
}
