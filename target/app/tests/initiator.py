"""One SCSI command at a time over libiscsi: what its command line tools do not send."""

from __future__ import annotations

import ctypes

GOOD, CHECK_CONDITION, RESERVATION_CONFLICT = 0x00, 0x02, 0x18
_NONE, _READ, _WRITE = 0, 1, 2
_NORMAL_SESSION = 2

_lib = ctypes.CDLL("libiscsi.so.7")
_lib.iscsi_create_context.restype = ctypes.c_void_p
_lib.iscsi_get_error.restype = ctypes.c_char_p
_lib.scsi_create_task.restype = ctypes.POINTER(ctypes.c_int)  # its first member is the status
_lib.iscsi_scsi_command_sync.restype = ctypes.POINTER(ctypes.c_int)


class _Data(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_char_p)]


class Initiator:
    """A session with LUN 0; `port` makes the ISID, so that a later session is the same port."""

    def __init__(self, portal: str, target: str, name: str, port: int):
        self._context = ctypes.c_void_p(_lib.iscsi_create_context(name.encode()))
        _lib.iscsi_set_isid_random(self._context, port, 0)
        _lib.iscsi_set_targetname(self._context, target.encode())
        _lib.iscsi_set_session_type(self._context, _NORMAL_SESSION)
        connected = _lib.iscsi_full_connect_sync(self._context, portal.encode(), 0)
        assert connected == 0, _lib.iscsi_get_error(self._context)

    def try_command(self, cdb: bytes, data_out: bytes = b"") -> int | None:
        """The status; None when the connection is lost before it comes, and for good."""
        _lib.iscsi_set_noautoreconnect(self._context, 1)
        try:
            return self.command(cdb, data_out)[0]
        except AssertionError:
            return None

    def command(self, cdb: bytes, data_out: bytes = b"", data_in_bytes: int = 0):
        """(status, data in)"""
        direction = _WRITE if data_out else _READ if data_in_bytes else _NONE
        task = _lib.scsi_create_task(len(cdb), cdb, direction, len(data_out) or data_in_bytes)
        back = ctypes.create_string_buffer(max(data_in_bytes, 1))
        if data_in_bytes:
            _lib.scsi_task_add_data_in_buffer(task, data_in_bytes, back)
        out = _Data(len(data_out), data_out)
        done = _lib.iscsi_scsi_command_sync(self._context, 0, task,
                                            ctypes.byref(out) if data_out else None)
        assert done, _lib.iscsi_get_error(self._context)
        status = done[0]
        _lib.scsi_free_scsi_task(task)
        return status, back.raw[:data_in_bytes]

    def reserve_out(self, action: int, key: int, action_key: int = 0, type: int = 0,
                    flags: int = 0) -> int:
        parameters = (key.to_bytes(8, "big") + action_key.to_bytes(8, "big") + bytes(4) +
                      bytes([flags]) + bytes(3))
        cdb = bytes([0x5f, action, type, 0, 0]) + len(parameters).to_bytes(4, "big") + bytes(1)
        return self.command(cdb, parameters)[0]

    def keys(self) -> list[int]:
        _, data = self.command(bytes([0x5e, 0, 0, 0, 0, 0, 0, 1, 0, 0]), data_in_bytes=256)
        count = int.from_bytes(data[4:8], "big") // 8
        return [int.from_bytes(data[8 + 8 * i:16 + 8 * i], "big") for i in range(count)]

    def write(self) -> int:
        return self.command(bytes([0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0]), bytes(512))[0]

    def close(self) -> None:
        _lib.iscsi_destroy_context(self._context)
