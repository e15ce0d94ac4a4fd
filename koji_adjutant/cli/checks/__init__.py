"""What `koji-adjutant check` looks at, one module per place."""
