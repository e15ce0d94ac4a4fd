"""Source code management: which commands fetch a source, and what may be believed of the tree they leave."""
