"""`make bench`: what a run costs, beside what its peers cost in the same n8n."""
