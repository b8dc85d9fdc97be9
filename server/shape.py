"""How deep a document may nest and how often it may rename: bounds what one request can ask for.

Each fragment is measured once. Strawberry's rules walk a fragment anew for each spread, so that
thirty fragments which spread the next one twice would keep the process busy for hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql import (
    ASTValidationRule,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValidationContext,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """`depth`: fields with selections on the longest way down, introspection left out, for
    graphql-core has a rule of its own for that. `aliases`: with those of fragments, each time they
    are spread.
    """

    depth: int = 0
    aliases: int = 0


@dataclass(slots=True)
class _Ruler:
    fragments: Mapping[str, FragmentDefinitionNode]
    _known: dict[str, Measure] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None) -> Measure:
        if selections is None:
            return Measure()
        parts = [self._selection(node) for node in selections.selections]
        return Measure(max(p.depth for p in parts), sum(p.aliases for p in parts))

    def _selection(self, node: SelectionNode) -> Measure:
        match node:
            case FieldNode():
                return self._field(node)
            case FragmentSpreadNode():
                return self._fragment(node.name.value)
            case InlineFragmentNode():
                return self.of(node.selection_set)
            case _:
                raise TypeError(f"a selection cannot be {node.kind}")

    def _field(self, node: FieldNode) -> Measure:
        inside = self.of(node.selection_set)
        leaf = node.selection_set is None or node.name.value.startswith("__")
        depth = 0 if leaf else 1 + inside.depth
        return Measure(depth, inside.aliases + (node.alias is not None))

    def _fragment(self, name: str) -> Measure:
        """Nothing for one that is unknown or spreads itself: other rules refuse that."""
        if name not in self._known:
            self._known[name] = Measure()
            if name in self.fragments:
                self._known[name] = self.of(self.fragments[name].selection_set)
        return self._known[name]


def shape_rule(*, max_depth: int, max_aliases: int) -> type[ASTValidationRule]:
    """Make it once: a class that differs from request to request defeats the validation cache."""

    class Shape(ASTValidationRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            definitions = context.document.definitions
            ruler = _Ruler(
                {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}
            )
            for operation in definitions:
                if isinstance(operation, OperationDefinitionNode):
                    found = ruler.of(operation.selection_set)
                    self._check(operation, "depth", found.depth, max_depth)
                    self._check(operation, "number of aliases", found.aliases, max_aliases)

        def _check(self, node: OperationDefinitionNode, what: str, found: int, limit: int) -> None:
            if found > limit:
                text = f"the {what} of an operation must not exceed {limit}"
                limited = GraphQLError(text, [node], extensions={"code": "LIMIT_EXCEEDED"})
                self.report_error(limited)

    return Shape
