"""Requests and responses, and what carries them: destinations, rate limits, addresses, connections."""
