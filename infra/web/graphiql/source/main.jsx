import { GraphiQL } from 'graphiql';
import { getOperationAST } from 'graphql';
import { createClient } from 'graphql-ws';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import './page.css';
import { forgetWhatEarlierVersionsKept, storage } from './storage.js';

const TOKEN_KEY = 'r3edge:token';
const FIRST_QUERY = `# Everything public needs no token. Register or sign in by mutation, then
# paste the token into the field above: it goes with requests and sockets.

query Engine {
  engine {
    version
    startedAt
    healthy
  }
}

subscription Depth {
  marketDepth(market: "sandbox:BTC/USDT", levels: L5) {
    ... on MarketDepthSnapshot {
      sequence
      bids { price quantity }
      asks { price quantity }
    }
    ... on MarketDepthStatus { state since }
  }
}
`;

const url = new URL('/graphql', window.location.href);
const socketUrl = new URL(url);
socketUrl.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';

function isSubscription(parameters, options) {
  const operation = options?.documentAST && getOperationAST(options.documentAST, parameters.operationName ?? undefined);
  return operation?.operation === 'subscription';
}

async function request(parameters, headers) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(parameters),
  });
  return response.json();
}

// One socket a subscription, with the token of the moment; the client ends it with the subscription.
async function* subscribe(parameters, headers) {
  const client = createClient({ url: socketUrl.href, connectionParams: headers, retryAttempts: 0 });
  try {
    yield* client.iterate(parameters);
  } catch (error) {
    yield { errors: Array.isArray(error) ? error : [{ message: error.reason || error.message || 'Connection lost' }] };
  } finally {
    client.dispose();
  }
}

// GraphiQL fetches the schema anew for each new fetcher, and the schema is the same whoever asks: so one fetcher, which
// takes the token of the moment.
function fetcher(parameters, options) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...options?.headers };
  return isSubscription(parameters, options) ? subscribe(parameters, headers) : request(parameters, headers);
}

function Page() {
  const [token, setToken] = useState(() => sessionStorage.getItem(TOKEN_KEY) ?? '');
  const onToken = event => {
    const value = event.target.value.trim();
    sessionStorage.setItem(TOKEN_KEY, value);
    setToken(value);
  };
  return (
    <>
      <label className="token">
        <span>Token</span>
        <input
          type="password"
          value={token}
          onChange={onToken}
          placeholder="of userLogin, or an API key; kept until this tab is closed"
          autoComplete="off"
          spellCheck={false}
        />
      </label>
      <GraphiQL
        fetcher={fetcher}
        storage={storage}
        defaultQuery={FIRST_QUERY}
        defaultEditorToolsVisibility="variables"
      />
    </>
  );
}

forgetWhatEarlierVersionsKept();
createRoot(document.getElementById('root')).render(<Page />);
