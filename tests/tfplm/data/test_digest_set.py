import random

from tfplm.data.digest_set import DigestSet


def test_it_tells_new_digests_from_known_ones_as_a_set_does():
    generator = random.Random(0)
    digests = [generator.choice([generator.getrandbits(64), generator.randrange(2000)]) for _ in range(20_000)]
    seen, reference = DigestSet(), set()
    for digest in digests:
        assert seen.add(digest) == ((digest or 1) not in reference)
        reference.add(digest or 1)
    assert len(seen) == len(reference)


def test_the_greatest_and_the_smallest_digest_fit():
    seen = DigestSet()
    assert [seen.add(digest) for digest in (2**64 - 1, 0, 2**64 - 1, 0)] == [True, True, False, False]
