"""Traces and metrics by the OpenTelemetry API."""
