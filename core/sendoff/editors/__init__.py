"""Connector files in editors: a JSON Schema, and the files that lead an editor to it."""
