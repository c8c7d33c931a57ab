"""Users: registration, login sessions, API keys, and how a credential is verified."""
