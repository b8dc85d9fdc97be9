"""The command line `mllm`: thin verbs over the stored documents of the SDK."""
