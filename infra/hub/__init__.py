"""The Hugging Face Hub: what a repository holds, who may read it, and its bytes on the disk.

Knows nothing of weights or jobs. Metadata goes through the hub library, content through `transfer`.
"""
