"""The command `koji-adjutant`."""
