"""The composition root: builds every adapter and service, and starts and stops them in order."""
