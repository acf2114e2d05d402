"""What to do with a refused request."""
