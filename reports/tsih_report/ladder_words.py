"""iSCSI's and SCSI's codes in words, for the ladder's reader only: nothing is judged by them."""

_LOGIN = {0x0000: "Success", 0x0101: "Moved temporarily", 0x0102: "Moved permanently",
          0x0200: "Initiator error", 0x0201: "Authentication failure", 0x0202: "Authorization failure",
          0x0203: "Not found", 0x0204: "Target removed", 0x0205: "Unsupported version",
          0x0206: "Too many connections", 0x0207: "Missing parameter", 0x0208: "Can't include in session",
          0x0209: "Session type not supported", 0x020a: "Session does not exist",
          0x020b: "Invalid during login", 0x0300: "Target error", 0x0301: "Service unavailable",
          0x0302: "Out of resources"}
_SCSI_STATUS = {0x00: "GOOD", 0x02: "CHECK CONDITION", 0x04: "CONDITION MET", 0x08: "BUSY",
                0x18: "RESERVATION CONFLICT", 0x28: "TASK SET FULL", 0x30: "ACA ACTIVE", 0x40: "TASK ABORTED"}
_SENSE = {0x00: "no sense", 0x01: "recovered", 0x02: "not ready", 0x03: "medium error", 0x04: "hardware error",
          0x05: "illegal request", 0x06: "unit attention", 0x07: "data protect", 0x0b: "aborted command",
          0x0e: "miscompare"}
_ASC = {(0x29, 0x00): "power on or reset", (0x2a, 0x09): "capacity data has changed",
        (0x20, 0x00): "invalid operation code", (0x24, 0x00): "invalid field in CDB",
        (0x25, 0x00): "logical unit not supported", (0x21, 0x00): "address out of range",
        (0x0c, 0x0c): "unexpected unsolicited data", (0x0c, 0x0d): "not enough unsolicited data",
        (0x3f, 0x0e): "reported LUNs data has changed", (0x47, 0x7f): "commands cleared by iSCSI event"}
_CDB = {0x00: "TEST UNIT READY", 0x03: "REQUEST SENSE", 0x08: "READ(6)", 0x0a: "WRITE(6)", 0x12: "INQUIRY",
        0x16: "RESERVE(6)", 0x17: "RELEASE(6)", 0x1a: "MODE SENSE(6)", 0x1b: "START STOP UNIT",
        0x25: "READ CAPACITY(10)", 0x28: "READ(10)", 0x2a: "WRITE(10)", 0x2e: "WRITE AND VERIFY(10)",
        0x2f: "VERIFY(10)", 0x35: "SYNCHRONIZE CACHE(10)", 0x41: "WRITE SAME(10)", 0x42: "UNMAP",
        0x5a: "MODE SENSE(10)", 0x5e: "PERSISTENT RESERVE IN", 0x5f: "PERSISTENT RESERVE OUT",
        0x83: "EXTENDED COPY", 0x88: "READ(16)", 0x89: "COMPARE AND WRITE", 0x8a: "WRITE(16)",
        0x8f: "VERIFY(16)", 0x91: "SYNCHRONIZE CACHE(16)", 0x93: "WRITE SAME(16)",
        0x9e: "SERVICE ACTION IN(16)", 0xa0: "REPORT LUNS", 0xa3: "MAINTENANCE IN", 0xa8: "READ(12)",
        0xaa: "WRITE(12)"}
_FUNCTION = {1: "ABORT TASK", 2: "ABORT TASK SET", 3: "CLEAR ACA", 4: "CLEAR TASK SET",
             5: "LOGICAL UNIT RESET", 6: "TARGET WARM RESET", 7: "TARGET COLD RESET", 8: "TASK REASSIGN"}
_FUNCTION_RESPONSE = {0: "complete", 1: "task does not exist", 2: "LUN does not exist",
                      3: "task still allegiant", 4: "reassignment not supported", 5: "not supported",
                      6: "authorization failed", 255: "rejected"}
_LOGOUT = {0: "close the session", 1: "close the connection", 2: "remove for recovery"}
_LOGOUT_RESPONSE = {0: "closed", 1: "CID not found", 2: "recovery not supported", 3: "cleanup failed"}
_REJECT = {0x02: "data digest error", 0x03: "SNACK reject", 0x04: "protocol error",
           0x05: "command not supported", 0x06: "too many immediate commands", 0x07: "task in progress",
           0x08: "invalid DataACK", 0x09: "invalid PDU field", 0x0a: "long operation reject",
           0x0b: "negotiation reset", 0x0c: "waiting for logout"}
_ASYNC = {0: "SCSI event", 1: "asks for logout", 2: "will drop the connection",
          3: "will drop all connections", 4: "asks for negotiation", 255: "vendor specific event"}


def _number(value) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    try:
        return int(value, 16) if isinstance(value, str) and value.startswith("0x") else None
    except ValueError:
        return None


def _named(names: dict, value, digits: int = 0) -> str | None:
    number = _number(value)
    if number is None:
        return None
    code = f"0x{number:0{digits}x}" if digits else str(number)
    return f"{code} {names[number]}" if number in names else code


def _sense(data_hex) -> str:
    """Key, ASC and ASCQ of the sense data in a SCSI Response's data segment, or nothing."""
    try:
        sense = bytes.fromhex(data_hex)[2:] if isinstance(data_hex, str) else b""
    except ValueError:
        return ""
    if len(sense) >= 14 and sense[0] & 0x7f in (0x70, 0x71):
        key, asc, ascq = sense[2] & 0x0f, sense[12], sense[13]
    elif len(sense) >= 4 and sense[0] & 0x7f in (0x72, 0x73):
        key, asc, ascq = sense[1] & 0x0f, sense[2], sense[3]
    else:
        return ""
    words = [w for w in (_SENSE.get(key), _ASC.get((asc, ascq))) if w]
    return f" {key:x}/{asc:02x}/{ascq:02x}" + (f" {', '.join(words)}" if words else "")


def command(fields: dict) -> str | None:
    """A SCSI Command's name, by the first byte of its CDB."""
    cdb = fields.get("CDB0-7")
    try:
        first = int(cdb[2:4], 16) if isinstance(cdb, str) and cdb.startswith("0x") else None
    except ValueError:
        return None
    return None if first is None else _CDB.get(first, f"CDB {first:02x}h")


def detail(opcode, fields: dict) -> str | None:
    """What a request is about: the command, the function, the reason."""
    if opcode == 0x01:
        return command(fields)
    if opcode == 0x02:
        return _named(_FUNCTION, fields.get("Function"))
    if opcode == 0x06:
        return _named(_LOGOUT, fields.get("Reason"))
    if opcode == 0x32:
        return _named(_ASYNC, fields.get("AsyncEvent"))
    return None


def status(opcode, fields: dict, data_hex) -> str | None:
    """What a response says, in words with its code; None where there is nothing to say."""
    if opcode == 0x23:
        return _named(_LOGIN, fields.get("Status"), 4)
    if opcode == 0x21:
        if _number(fields.get("Response")):
            return f"response {_named({1: 'target failure'}, fields['Response'])}"
        number = _number(fields.get("SCSIStatus"))
        return None if number is None else _SCSI_STATUS.get(number, f"0x{number:02x}") + (
            _sense(data_hex) if number == 0x02 else "")
    if opcode == 0x25 and fields.get("S"):
        number = _number(fields.get("SCSIStatus"))
        return None if number is None else _SCSI_STATUS.get(number, f"0x{number:02x}")
    if opcode == 0x22:
        return _named(_FUNCTION_RESPONSE, fields.get("Response"))
    if opcode == 0x26:
        return _named(_LOGOUT_RESPONSE, fields.get("Response"))
    if opcode == 0x3f:
        return _named(_REJECT, fields.get("Reason"), 2)
    return None
