"""What is remembered in a database: definitions that people saved by name."""
