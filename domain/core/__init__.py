"""What everything else builds on: time, money, errors, pagination, validation, tasks. Imports nothing of ours."""
