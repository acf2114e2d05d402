"""The ledger on SQLite, in the state directory: the only part of the core that knows SQL."""
