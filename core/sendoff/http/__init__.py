"""HTTP connections as sendoff makes them, watched and guarded; and a client for sources and notifiers."""
