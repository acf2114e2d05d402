"""What is known of a run from outside: its events, its metrics, and what it came to."""
