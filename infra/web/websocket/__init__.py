"""GraphQL over WebSocket."""
