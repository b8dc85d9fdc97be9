"""The bytes of a snapshot, from the hub onto the disk, verified. Blocking, in threads of its own.

`engine.transfer` is the door, `plan` says what goes through it. Refuses to know what the files are
for, to publish them, and to keep anything after it returns but the files themselves.
"""
