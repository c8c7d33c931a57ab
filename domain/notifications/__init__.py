"""Notification channels: they bring users' events to webhooks, mailboxes and chats, each at least once and in order."""
