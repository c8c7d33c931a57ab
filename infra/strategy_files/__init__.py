"""Strategies in files: JSON and YAML, in the form of the API's `StrategyDefinitionInput`."""
