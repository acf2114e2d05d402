"""One run: the threads around the engine, observers, the report, notifications."""
