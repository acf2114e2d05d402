"""Connector files: YAML with positions, Cerberus rules, secrets, and what they come to."""
