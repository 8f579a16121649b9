"""Hit ratios of moka on a trace of keys, one a line: moka.py TRACE CAPACITY…

Prints a line for each capacity: the hit ratio with the policy's log applied as moka likes, and the one with the log
applied after each request. Left alone, moka holds more entries than it was given when it is small.
"""

import sys

import moka_py


def hit_ratio(keys, capacity, is_strict):
    cache = moka_py.Moka(capacity)
    hits = 0
    for key in keys:
        if cache.get(key) is None:
            cache.set(key, True)
        else:
            hits += 1
        if is_strict:
            cache.run_pending_tasks()
    return hits / len(keys)


with open(sys.argv[1], encoding="utf-8") as trace:
    keys = trace.read().splitlines()
for capacity in map(int, sys.argv[2:]):
    print(capacity, f"{hit_ratio(keys, capacity, False):.6f}", f"{hit_ratio(keys, capacity, True):.6f}")
