"""Users, their credentials and their lists."""
