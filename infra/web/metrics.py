"""The metrics that the web server exports to Prometheus."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class WebMetrics:
    """All metrics of the web server in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter(
            "r3edge_http_requests", "HTTP requests answered.", ["method", "route", "status"], registry=registry
        )
        self.operations = Counter(
            "r3edge_graphql_operations", "GraphQL operations started.", ["type", "transport"], registry=registry
        )
        self.seconds = Histogram(
            "r3edge_graphql_operation_seconds", "Time to execute queries and mutations.", ["type"], registry=registry
        )
        self.selections = Counter(
            "r3edge_compiled_selections", "Queries by what executed them.", ["way"], registry=registry
        )
        self.shared_answers = Counter(
            "r3edge_shared_answers", "Queries by whether a shared answer was given.", ["result"], registry=registry
        )
        self.shared_answer_bytes = Gauge(
            "r3edge_shared_answer_bytes", "Bytes of the answers that are kept to be shared.", registry=registry
        )
        # Looking up the child of a metric costs more than counting; labels are few.
        self.requests_of = cache(self.requests.labels)
        self.operations_of = cache(self.operations.labels)
        self.selections_of = cache(self.selections.labels)
        self.seconds_of = cache(self.seconds.labels)
        self.refused = Counter(
            "r3edge_graphql_refused",
            "Requests that were not executed, or whose stream failed.",
            ["reason"],
            registry=registry,
        )
        self.persisted = Counter(
            "r3edge_persisted_documents",
            "Operations asked for by the identifier of a document.",
            ["result"],
            registry=registry,
        )
        self.known_documents = Gauge(
            "r3edge_known_documents", "Documents that the operator has added.", registry=registry
        )
        self.rejected = Counter(
            "r3edge_connections_rejected", "Connections ended before they were served.", ["reason"], registry=registry
        )
        self.sockets = Gauge(
            "r3edge_websocket_connections", "Open WebSocket connections and event streams.", registry=registry
        )
        self.connection_waits = Counter(
            "r3edge_connection_waits",
            "Times a connection was read later since its address had sent or opened too much.",
            registry=registry,
        )
        self.request_waits = Counter(
            "r3edge_request_waits",
            "Requests that were served later since their address had sent too many.",
            registry=registry,
        )
        self.rooms = Gauge("r3edge_rooms", "Shared subscriptions being executed.", registry=registry)
        self.subscribers = Gauge("r3edge_room_members", "Subscribers of all rooms.", registry=registry)
        self.executions = Counter("r3edge_room_executions", "Executions of a shared selection.", registry=registry)
        self.frames = Counter("r3edge_room_frames", "Events for subscribers of rooms.", registry=registry)
        self.overflows = Counter(
            "r3edge_room_overflows", "Times the queue of a slow subscriber was full.", registry=registry
        )
        self.slow_readers = Counter(
            "r3edge_slow_readers", "Streams ended because their reader was too slow.", registry=registry
        )
