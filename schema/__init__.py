"""The public contract: Strawberry types, inputs, enums and the three roots."""
