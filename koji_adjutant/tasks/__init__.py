"""Task methods: one module per family."""
