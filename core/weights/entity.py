"""Installed weights and their files, as indexed in the database."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.ids import JobId, WeightsId
from infra.db.base import Base
from infra.db.types import UtcDateTime


class Weights(Base, kw_only=True):
    """A folder of verified files below the root of a location."""

    __tablename__ = "weights"
    __table_args__ = (UniqueConstraint("location", "path"),)

    id: Mapped[WeightsId] = mapped_column(String(32), primary_key=True)
    location: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(String(512))
    hub_repo: Mapped[str | None] = mapped_column(String(256))
    revision: Mapped[str | None] = mapped_column(String(40))
    requested_revision: Mapped[str | None] = mapped_column(String(256))
    size: Mapped[int] = mapped_column(BigInteger)
    file_count: Mapped[int]
    license: Mapped[str | None] = mapped_column(String(256))
    installed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    install_job_id: Mapped[JobId | None] = mapped_column(String(32))


class WeightsFile(Base, kw_only=True):
    """One file of installed weights. `verified`: its sha256 was computed from the bytes that
    were written.
    """

    __tablename__ = "weights_files"

    weights_id: Mapped[WeightsId] = mapped_column(
        ForeignKey("weights.id", ondelete="CASCADE"), primary_key=True
    )
    path: Mapped[str] = mapped_column(String(1024), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    verified: Mapped[bool]
