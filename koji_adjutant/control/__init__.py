"""The control socket: how commands on this machine ask the running daemon, and tell it what to do."""
