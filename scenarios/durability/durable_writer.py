"""Writes numbered records over and over, and says which of them must outlive a power cut.

    durable_writer.py LOG EPOCH [atomic:]DEVICE...

Four threads for each device, each with 64 places of 4 KiB of its own at the device's beginning. A
thread writes either one record with FUA (RWF_DSYNC), or some without and then flushes (fdatasync).
Then, and only then, LOG gets a line `LUN PLACE NUMBER` for each; LUN counts the devices. Numbers grow,
so a later record in a place replaces an older one, and an older one that is found instead of it was
lost. Each block of 512 bytes of a record begins `tsih PLACE NUMBER`, so that half a record is seen.

On a device that is marked so, one more thread writes ranges of 64 KiB, the first of them 1 MiB from the
beginning, each by one WRITE ATOMIC(16), which is durable when it ends. For each that ended GOOD, LOG gets
a line `aLUN RANGE NUMBER`. Their blocks begin as the records' do, with the range for the place.

The file EPOCH changes while the target has no power. Records whose flush began in another epoch than
it ended in do not count: the kernel repeats a SYNCHRONIZE CACHE that had no answer, and the target that
has come back answers it truthfully, though it never saw the writes before it.
"""

import ctypes
import fcntl
import mmap
import os
import random
import sys
import threading

THREADS, PLACES, RECORD_BYTES, BLOCK_BYTES = 4, 64, 4096, 512
RANGES, RANGE_BYTES, RANGES_AT = 8, 64 << 10, 1 << 20

log_path, epoch_path, *devices = sys.argv[1:]
log = open(log_path, "a", buffering=1)


def epoch():
    with open(epoch_path, encoding="ascii") as file:
        return file.read()


def block(place, number):
    return f"tsih {place} {number}\n".encode().ljust(BLOCK_BYTES, b".")


def write(disk, buffer, place, number, flags):
    buffer[:] = block(place, number) * (RECORD_BYTES // BLOCK_BYTES)
    os.pwritev(disk, [buffer], place * RECORD_BYTES, flags)


class SgIo(ctypes.Structure):
    """Linux's sg_io_hdr, <scsi/sg.h>."""

    _fields_ = [
        ("interface_id", ctypes.c_int), ("dxfer_direction", ctypes.c_int),
        ("cmd_len", ctypes.c_ubyte), ("mx_sb_len", ctypes.c_ubyte), ("iovec_count", ctypes.c_ushort),
        ("dxfer_len", ctypes.c_uint), ("dxferp", ctypes.c_void_p), ("cmdp", ctypes.c_void_p),
        ("sbp", ctypes.c_void_p), ("timeout", ctypes.c_uint), ("flags", ctypes.c_uint),
        ("pack_id", ctypes.c_int), ("usr_ptr", ctypes.c_void_p), ("status", ctypes.c_ubyte),
        ("masked_status", ctypes.c_ubyte), ("msg_status", ctypes.c_ubyte),
        ("sb_len_wr", ctypes.c_ubyte), ("host_status", ctypes.c_ushort),
        ("driver_status", ctypes.c_ushort), ("resid", ctypes.c_int), ("duration", ctypes.c_uint),
        ("info", ctypes.c_uint)]


SG_IO, TO_DEVICE, TIMEOUT_MS = 0x2285, -2, 120_000
WRITE_ATOMIC_16 = 0x9C


def write_atomically(disk, place, number):
    """True when it ended GOOD."""
    data = ctypes.create_string_buffer(block(place, number) * (RANGE_BYTES // BLOCK_BYTES), RANGE_BYTES)
    lba = (RANGES_AT + place * RANGE_BYTES) // BLOCK_BYTES
    cdb = ctypes.create_string_buffer(
        bytes([WRITE_ATOMIC_16, 0]) + lba.to_bytes(8, "big")
        + (RANGE_BYTES // BLOCK_BYTES).to_bytes(4, "big") + bytes(2), 16)
    command = SgIo(interface_id=ord("S"), dxfer_direction=TO_DEVICE, cmd_len=16,
                   dxfer_len=RANGE_BYTES, dxferp=ctypes.addressof(data),
                   cmdp=ctypes.addressof(cdb), timeout=TIMEOUT_MS)
    fcntl.ioctl(disk, SG_IO, command)
    return not (command.status or command.host_status or command.driver_status)


def work_atomically(lun, disk):
    dice = random.Random(f"{lun}/atomic")
    number = 0
    while True:
        number += 1
        place = dice.randrange(RANGES)
        if write_atomically(disk, place, number):
            log.write(f"a{lun} {place} {number}\n")


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
    disk = os.open(device.removeprefix("atomic:"), os.O_RDWR | os.O_DIRECT)
    if device.startswith("atomic:"):
        workers.append(threading.Thread(target=work_atomically, args=(lun, disk), daemon=True))
    for thread in range(THREADS):
        workers.append(threading.Thread(target=work, args=(lun, disk, thread), daemon=True))
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()  # they end with the process, or by an error of their device
