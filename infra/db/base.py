"""The declarative base of every entity, and the one naming convention of constraints."""

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass

# Names that migrations can refer to on both databases; without them autogenerate invents differing
# ones.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
# Bytes and sequence numbers; SQLite gives rowids to INTEGER keys only, and we never ask it to.
BigInt = BigInteger()


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """A row is the entity: columns are its fields, behaviour is its methods, no method reads the
    database.
    """

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: Json}
