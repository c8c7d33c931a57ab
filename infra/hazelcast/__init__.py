"""The cache and the bus of several nodes, over Hazelcast. The package itself doesn't import the client library."""
