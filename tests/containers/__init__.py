"""docker-compose.yml run for real, on an engine of its own. tests/containers/run is how it is started."""
