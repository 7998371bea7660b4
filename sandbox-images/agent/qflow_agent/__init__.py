"""The program that runs inside a sandbox: a zygote that forks one session per workflow execution."""

__version__ = "0.1.0"
