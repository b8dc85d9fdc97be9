"""The worker process: claims jobs and runs them."""
