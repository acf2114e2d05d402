"""Reading CSV: how a file is written, whole records of it, and their cells, fast where that is exact."""
