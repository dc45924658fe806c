"""Writes numbered, tagged records to a disk, one after another, until it fails or is ended.

    record_writer.py DEVICE TAG FIRST_BLOCK BLOCKS LOG

Record N goes to block FIRST_BLOCK + N: nothing is ever written over, so what is on the disk tells
which writes landed. A record is a line at the block's beginning: `tsih TAG N`. The page cache is
bypassed; a record is in LOG (`N MILLISECONDS`) once the disk has acknowledged it. The fuller its blocks
are, the more it rests between records: on a quick machine, too, they last until it is ended.
"""

import mmap
import os
import sys
import time

BLOCK_BYTES = 512

device, tag, first_block, blocks, log_path = sys.argv[1:]
disk = os.open(device, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
LONGEST_REST_S = 0.2  # 8192 blocks last nine minutes, and the first thousand hardly wait

buffer = mmap.mmap(-1, 4096)  # O_DIRECT wants an aligned one
log = open(log_path, "a", buffering=1)
try:
    for number in range(int(blocks)):
        buffer[:BLOCK_BYTES] = f"tsih {tag} {number}\n".encode().ljust(BLOCK_BYTES, b".")
        os.pwrite(disk, memoryview(buffer)[:BLOCK_BYTES], (int(first_block) + number) * BLOCK_BYTES)
        log.write(f"{number} {time.time_ns() // 1000000}\n")
        time.sleep(LONGEST_REST_S * (number / int(blocks)) ** 2)
except OSError as error:
    log.write(f"failed {time.time_ns() // 1000000} {error.strerror}\n")
    sys.exit(1)
