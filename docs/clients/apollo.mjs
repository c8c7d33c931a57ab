import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, Observable } from '@apollo/client';
import { OperationTypeNode, print } from 'graphql';
import { resume } from './resume.mjs';

export function apolloClient(uri, token, socketClient) {
  const queries = new HttpLink({ uri, headers: { Authorization: `Bearer ${token}` } });
  const subscriptions = new ApolloLink(({ query, variables }) =>
    new Observable((sink) => resume(socketClient, { query: print(query), variables }, sink)));
  return new ApolloClient({
    link: ApolloLink.split((operation) => operation.operationType === OperationTypeNode.SUBSCRIPTION, subscriptions, queries),
    cache: new InMemoryCache({ typePolicies: { OrderState: { keyFields: false } } }), // a state belongs to its event
  });
}
