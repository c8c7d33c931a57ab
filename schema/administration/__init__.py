"""What is for operators: users, and what they do to them."""
