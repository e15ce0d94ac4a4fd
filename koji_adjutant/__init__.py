"""koji-adjutant: a Koji builder that runs each task in short-lived containers instead of mock."""

__version__ = "0.1.0"
