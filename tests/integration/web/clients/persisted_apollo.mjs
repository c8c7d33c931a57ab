// Asks twice over Apollo's link for automatic persisted queries. node persisted_query.mjs URL post|get
import { createHash } from 'node:crypto';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';

const [uri, method] = process.argv.slice(2);
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: method === 'get' });
const client = new ApolloClient({ link: persisted.concat(new HttpLink({ uri })), cache: new InMemoryCache() });
const query = gql('query Hello($name: String!) { hello(name: $name) }');
const answers = [];
for (const name of ['Ada', 'Bob']) answers.push((await client.query({ query, variables: { name } })).data);
process.stdout.write(JSON.stringify(answers));
