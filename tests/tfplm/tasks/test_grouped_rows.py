import numpy as np
from keras import ops

from tfplm.tasks.grouped_rows import rows_of_examples


def test_rows_of_examples_come_on_end_with_seeds_of_their_own():
    ids = np.arange(24, dtype="int32").reshape(2, 3, 4)
    rows = rows_of_examples({"token_ids": ids, "segment_ids": ids + 1, "row_seeds": np.array([7, -7], "int32")})
    np.testing.assert_array_equal(rows["token_ids"], ids.reshape(6, 4))
    np.testing.assert_array_equal(rows["segment_ids"], ids.reshape(6, 4) + 1)
    seeds = ops.convert_to_numpy(rows["row_seeds"])
    assert (seeds.dtype, len(set(seeds.tolist()))) == (np.int32, 6)


def test_the_seeds_of_an_example_do_not_depend_on_the_others():
    ids = np.zeros((2, 3, 4), "int32")
    together = rows_of_examples({"token_ids": ids, "row_seeds": np.array([5, 9], "int32")})["row_seeds"]
    alone = rows_of_examples({"token_ids": ids[1:], "row_seeds": np.array([9], "int32")})["row_seeds"]
    np.testing.assert_array_equal(ops.convert_to_numpy(together)[3:], alone)
