// Follow a subscription over every interruption, on from the last cursor. `client` is one of graphql-ws or graphql-sse.
// Returns a function that ends it. GraphQL errors are told by `next`; what `error` tells is an Error, with the `code` of the close.
export function resume(client, { query, variables }, sink) {
  let stop, timer, ended = false, after = variables?.after;
  const subscribe = () => {
    stop = client.subscribe({ query, variables: { ...variables, after } }, {
      next: (result) => {
        if (!result.data && isTransient(result.errors)) return; // the end of the connection follows
        after = Object.values(result.data ?? {})[0]?.cursor ?? after;
        sink.next(result);
      },
      error: (error) => {
        if (!isFinal(error)) {
          if (!ended) timer = setTimeout(subscribe, 1_000 + 1_000 * Math.random());
        } else if (Array.isArray(error)) {
          sink.next({ errors: error });
          sink.complete();
        } else sink.error(asError(error));
      },
      complete: () => sink.complete(),
    });
  };
  subscribe();
  return () => { ended = true; clearTimeout(timer); stop(); };
}

const TRANSIENT = ['UNAVAILABLE', 'SLOW_READER', 'RATE_LIMITED'];
const isTransient = (errors) => errors.every(({ extensions }) => TRANSIENT.includes(extensions.code));

// A lost WebSocket comes as the event of its close, which is no Error, and which clients would only call unexpected.
const asError = (error) => error instanceof Error ? error
  : Object.assign(new Error(`the connection was closed with ${error.code} ${error.reason}`), { code: error.code });

// What trying again can't correct: a wrong document or cursor (GraphQL errors, or HTTP 4xx), a token that isn't accepted (4403),
// and what is wrong with the messages themselves: their size, form, order, ids or subprotocol.
const FINAL_CLOSES = [1009, 4400, 4401, 4403, 4406, 4409, 4429];
const isFinal = (error) => {
  if (Array.isArray(error)) return !isTransient(error);
  const status = error.response?.status;
  return FINAL_CLOSES.includes(error.code) || (status < 500 && ![408, 429].includes(status));
};
