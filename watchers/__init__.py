"""The Kubernetes process: watches what serves the models. Empty until activation on KServe
arrives.
"""
