"""Reports, and the jobs that compute them."""
