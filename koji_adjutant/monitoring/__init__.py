"""What the daemon shows of itself: a read-only view over HTTP."""
