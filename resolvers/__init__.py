"""What turns the arguments of an operation into domain calls and returns domain objects."""
