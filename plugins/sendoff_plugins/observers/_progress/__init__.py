"""What the progress observer is made of."""
