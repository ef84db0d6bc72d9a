"""A set of 64-bit digests in flat memory, so that repeated documents are found in corpora of any size."""

from array import array


class DigestSet:
    """Holds digests in 12 to 24 bytes each, where Python's set of int takes about 70.

    Example:
        >>> seen = DigestSet()
        >>> seen.add(7), seen.add(7)
        (True, False)
    """

    def __init__(self):
        self._slots = array("Q", bytes(8 * 1024))  # open addressing with linear probing; 0 is an empty slot
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, digest: int) -> bool:
        """Adds a digest from 0 to 2**64 - 1 (0 and 1 count as one); returns whether it is new."""
        digest = digest or 1
        slot = self._find(digest)
        if self._slots[slot]:
            return False
        self._slots[slot] = digest
        self._length += 1
        if 3 * self._length > 2 * len(self._slots):
            self._grow()
        return True

    def _find(self, digest: int) -> int:
        slots, mask = self._slots, len(self._slots) - 1
        slot = digest & mask
        while slots[slot] and slots[slot] != digest:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(2 * old.itemsize * len(old)))
        for digest in old:
            if digest:
                self._slots[self._find(digest)] = digest
