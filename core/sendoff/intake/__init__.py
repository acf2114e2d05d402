"""Reading: which source a run has, its pages, and the blocks they are encoded into."""
