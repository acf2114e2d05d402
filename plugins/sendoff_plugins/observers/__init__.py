"""Observers: progress, logs and metrics of a run."""
