"""One module for each kind of job: `run(ctx)` does it, `cleanup(ctx)` removes what it left when
it will not go on.
"""
