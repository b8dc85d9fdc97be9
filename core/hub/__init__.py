"""Model repositories on the Hugging Face Hub."""
