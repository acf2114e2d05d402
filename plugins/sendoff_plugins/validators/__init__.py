"""Checks that make a record invalid before it is sent."""
