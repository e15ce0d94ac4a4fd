"""Repositories of the hub: what is run to make them, and what goes into them. Pure, but for looks at topdir."""
