"""Notifiers: who is notified of how runs went."""
