"""Connector files: YAML with positions, Cerberus rules, secrets, and the connector that is made of them."""
