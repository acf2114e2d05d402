"""Notifiers: who is told how runs went."""
