"""What to do with a rejected request."""
