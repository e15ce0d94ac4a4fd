"""One object per host identity: check in, take, run, wake, cancel, adopt, sweep."""
