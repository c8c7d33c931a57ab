import { graphql } from 'relay-runtime';

// A page of orders that goes on, an object fetched again by its id, and a list into which a new edge is put.
graphql`
  query ordersQuery($count: Int!, $cursor: String) {
    viewer {
      ...orders_list
    }
  }
`;

graphql`
  fragment orders_list on User @refetchable(queryName: "ordersListRefetchQuery") {
    orders(first: $count, after: $cursor) @connection(key: "orders_list_orders") {
      edges {
        node {
          id
          status
          market {
            symbol
          }
        }
      }
    }
  }
`;

graphql`
  fragment orders_order on Order @refetchable(queryName: "ordersOrderRefetchQuery") {
    quantity
    filledQuantity
  }
`;

graphql`
  mutation ordersPlaceMutation($input: OrderPlaceInput!, $connections: [ID!]!) {
    orderPlace(input: $input) {
      order @prependNode(connections: $connections, edgeTypeName: "OrderEdge") {
        id
        ...orders_order
      }
      errors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  subscription ordersSubscription($after: String) {
    orderEvents(after: $after) {
      cursor
      order {
        id
        status
      }
    }
  }
`;
