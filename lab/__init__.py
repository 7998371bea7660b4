"""Real parts for the tests, the demo and the benchmark: n8n, the runner and a browser, started and ended in order."""
