"""One function for each root field: `(ctx, plain arguments)` to domain objects. No GraphQL in
here.
"""
