"""The typed client of the prediction API."""
