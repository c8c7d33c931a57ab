"""The exit codes of the commands, besides 0."""

FAILED = 1
USAGE_ERROR = 2
INTERRUPTED = 130
"""After Ctrl-C or SIGTERM, as shells have it: 128 and the number of SIGINT."""
