// Follows a stream with a recipe of docs/clients that loses patience soon. node reconnect.mjs CLIENT URL
import { eventClient } from './graphql-sse.mjs';
import { socketClient } from './graphql-ws.mjs';
import { resume } from './resume.mjs';

const [name, url] = process.argv.slice(2);
const patience = 1_000;
const client = name === 'graphql-sse' ? eventClient(url, 'good', patience) : socketClient(url.replace('http', 'ws'), 'good', patience);
const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
resume(client, { query: 'subscription { journal { sequence } }' }, {
  next: ({ data }) => write(data.journal.sequence),
  error: (error) => write(String(error)),
  complete: () => write('complete'),
});
