"""Writes numbered records over and over, and says which of them must outlive a power cut.

    durable_writer.py LOG EPOCH DEVICE...

Four threads for each device, each with 64 places of 4 KiB of its own at the device's beginning. A
thread writes either one record with FUA (RWF_DSYNC), or some without and then flushes (fdatasync).
Then, and only then, LOG gets a line `LUN PLACE NUMBER` for each; LUN counts the devices. Numbers grow,
so a later record in a place replaces an older one, and an older one that is found instead of it was
lost. Each block of 512 bytes of a record begins `tsih PLACE NUMBER`, so that half a record is seen.

The file EPOCH changes while the target has no power. Records whose flush began in another epoch than
it ended in do not count: the kernel repeats a SYNCHRONIZE CACHE that had no answer, and the target that
has come back answers it truthfully, though it never saw the writes before it.
"""

import mmap
import os
import random
import sys
import threading

THREADS, PLACES, RECORD_BYTES, BLOCK_BYTES = 4, 64, 4096, 512

log_path, epoch_path, *devices = sys.argv[1:]
log = open(log_path, "a", buffering=1)


def epoch():
    with open(epoch_path, encoding="ascii") as file:
        return file.read()


def write(disk, buffer, place, number, flags):
    block = f"tsih {place} {number}\n".encode().ljust(BLOCK_BYTES, b".")
    buffer[:] = block * (RECORD_BYTES // BLOCK_BYTES)
    os.pwritev(disk, [buffer], place * RECORD_BYTES, flags)


def work(lun, disk, thread):
    dice = random.Random(f"{lun}/{thread}")
    buffer = mmap.mmap(-1, RECORD_BYTES)  # O_DIRECT wants an aligned one
    number = 0
    while True:
        force_unit_access = dice.random() < 0.4
        lines, began = "", epoch()
        for _ in range(1 if force_unit_access else dice.randrange(1, 16)):
            number += 1
            place = thread * PLACES + dice.randrange(PLACES)
            write(disk, buffer, place, number, os.RWF_DSYNC if force_unit_access else 0)
            lines += f"{lun} {place} {number}\n"
        if not force_unit_access:
            os.fdatasync(disk)
        if epoch() == began:
            log.write(lines)


workers = []
for lun, device in enumerate(devices):
    disk = os.open(device, os.O_RDWR | os.O_DIRECT)
    for thread in range(THREADS):
        workers.append(threading.Thread(target=work, args=(lun, disk, thread), daemon=True))
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()  # they end with the process, or by an error of their device
