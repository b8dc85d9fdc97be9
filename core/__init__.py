"""The domain. `core/<noun>/` is the only home of its noun; nothing here knows GraphQL, HTTP or
arq.
"""
