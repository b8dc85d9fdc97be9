"""Writers of the file formats that model repositories hold; made-up numbers, true formats."""
