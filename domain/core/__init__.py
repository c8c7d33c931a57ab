"""What everything else builds on: time, money, errors, pages, validation. Imports nothing of ours."""
