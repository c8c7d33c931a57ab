"""Mail: an outbox whose mails are sent at least once, however long the mail server is away."""
