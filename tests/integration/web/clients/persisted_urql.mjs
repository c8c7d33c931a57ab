// Asks twice over urql's exchange for persisted queries. node persisted_urql.mjs URL post|get
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';

const [url, method] = process.argv.slice(2);
const persisted = persistedExchange({ preferGetForPersistedQueries: method === 'get' });
const client = new Client({ url, exchanges: [persisted, fetchExchange], preferGetMethod: false });
const query = 'query Hello($name: String!) { hello(name: $name) }';
const answers = [];
for (const name of ['Ada', 'Bob']) {
  const { data, error } = await client.query(query, { name });
  if (error) throw error;
  answers.push(data);
}
process.stdout.write(JSON.stringify(answers));
