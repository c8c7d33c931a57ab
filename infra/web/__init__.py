"""The web server: the GraphQL transport over HTTP, WebSocket and SSE, GraphiQL, health and metrics."""
