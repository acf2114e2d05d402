"""What `http1` is made of."""
