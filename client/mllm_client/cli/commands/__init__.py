"""One module per noun; each is imported when its verb is used (see `mllm_client.cli.app`)."""
