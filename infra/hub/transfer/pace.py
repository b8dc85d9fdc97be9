"""How many connections, and how much to ask for at a time: by what the last seconds brought."""

# A segment should take about this long: requests are then rare, and little is lost with one.
_SEGMENT_S = 2.0
MIN_SEGMENT_BYTES = 2 << 20
_MAX_SEGMENT_BYTES = 32 << 20
# Smaller files are fetched in one piece; also the first piece of larger ones, and the largest
# where several connections share a file.
WHOLE_BYTES = 8 << 20
# More connections have to bring that much more, or they are not worth their costs.
_WORTH = 1.10
# Windows after which it is tried again, and after which a busy server is asked for more again.
_REST = 40
_BUSY_REST = 60


def segment_bytes(bytes_per_s: float | None, *, left_bytes: int, sharers: int, alone: bool) -> int:
    """For a connection of that rate (None: not known yet).

    Shares out `left_bytes` among `sharers` near the end. Not `alone` in its file it takes less at a
    time: what is fetched ahead of the hash waits for it, and has to be read back.
    """
    wanted = WHOLE_BYTES if bytes_per_s is None else int(bytes_per_s * _SEGMENT_S)
    most = _MAX_SEGMENT_BYTES if alone else WHOLE_BYTES
    return max(MIN_SEGMENT_BYTES, min(wanted, most, left_bytes // max(1, sharers)))


class Pace:
    """Doubles the connections as long as that raises the rate by a tenth; else takes it back.

    Asked once per window, of half a second or so. A server that is too busy gets half of them.
    """

    def __init__(self, *, start: int, most: int) -> None:
        self.connections = max(1, min(start, most))
        self._most = most
        self._before: tuple[int, float] | None = None
        self._rest = 1

    def judge(self, bytes_per_s: float) -> None:
        if self._rest:
            self._rest -= 1
            return
        if self._before is not None:
            connections, rate = self._before
            self._before = None
            if bytes_per_s < rate * _WORTH:
                self.connections = connections
                self._rest = _REST
                return
        if self.connections < self._most:
            self._before = self.connections, bytes_per_s
            self.connections = min(self._most, self.connections * 2)
            self._rest = 1  # new connections start slowly

    def busy(self) -> None:
        """The server refuses requests for their number. Counts once per rest."""
        if self._rest <= _REST:
            self.connections = max(1, self.connections // 2)
        self._before = None
        self._rest = _BUSY_REST
