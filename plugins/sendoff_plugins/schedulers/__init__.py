"""Built-in schedulers: which other programs can start a run."""
