"""Code of nodes that tries what a sandbox must refuse. Each function answers what the kernel said."""
