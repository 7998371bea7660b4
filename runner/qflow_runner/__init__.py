"""The Qflow runner: takes n8n's items over HTTP and has a person's Python run on them in a warm sandbox."""

__version__ = "0.1.0"
