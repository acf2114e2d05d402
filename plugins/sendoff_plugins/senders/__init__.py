"""How records become requests."""
