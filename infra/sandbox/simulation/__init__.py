"""Simulated markets: order flow and history."""
