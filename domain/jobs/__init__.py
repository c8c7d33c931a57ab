"""Jobs: a queue that users share fairly, and the runner that has their handlers compute them on worker nodes."""
