"""The GraphQL vocabulary: types over domain objects, no logic. `schema.root.schema` is the
whole.
"""
