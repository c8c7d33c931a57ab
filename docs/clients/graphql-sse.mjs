import { createClient } from 'graphql-sse';

export function eventClient(url, token, patience = 30_000) {
  return createClient({
    url, // http://127.0.0.1:8000/graphql
    headers: { Authorization: `Bearer ${token}` },
    retryAttempts: 0, // resume() does it, with the new cursor
    fetchFn: async (...request) => watched(await fetch(...request), patience),
  });
}

// A connection may be dead without anybody noticing: then not even the comment comes that is sent every 15 s.
function watched(response, patience) {
  let deadline;
  const watch = (stream) => {
    clearTimeout(deadline);
    deadline = setTimeout(() => stream.error(new Error('nothing comes any more')), patience);
  };
  const transform = (chunk, stream) => { watch(stream); stream.enqueue(chunk); };
  const watching = new TransformStream({ start: watch, transform, flush: () => clearTimeout(deadline) });
  return new Response(response.body.pipeThrough(watching), response);
}
