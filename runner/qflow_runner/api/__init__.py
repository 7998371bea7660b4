"""The HTTP API: one table of routes, from which requests are served, authorised and documented."""
