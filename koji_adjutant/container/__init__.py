"""Container runtimes and durable steps. Knows neither Koji nor the hub."""
