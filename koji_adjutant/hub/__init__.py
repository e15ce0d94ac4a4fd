"""The hub as a builder sees it: session, identity, uploads. Knows no containers."""
