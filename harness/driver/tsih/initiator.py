"""The stock Linux initiator (open-iscsi) in a guest."""

from __future__ import annotations

import dataclasses
import re

from tsih.guest import Guest, Result
from tsih.targetconfig import Chap

# A guest on a busy host may be silent for seconds, and nobody is dead. The kernel pings often, and waits
# long for the answer: a session ends when something is wrong with it, not when the host is slow.
PATIENT_SETTINGS = {
    "node.session.timeo.replacement_timeout": "120",
    "node.conn[0].timeo.login_timeout": "60",
    "node.conn[0].timeo.logout_timeout": "15",
    "node.conn[0].timeo.noop_out_interval": "2",
    "node.conn[0].timeo.noop_out_timeout": "120",
    "node.session.initial_login_retry_max": "1",
    "node.startup": "manual",
    "node.session.scan": "auto",
}
# For a machine that is to lose its disk: it sees in seconds what it would see in minutes.
QUICK_TO_GIVE_UP = {
    "node.session.timeo.replacement_timeout": "5",
    "node.conn[0].timeo.login_timeout": "15",
    "node.conn[0].timeo.noop_out_timeout": "5",
}
CONF = "/etc/iscsi/iscsid.conf"
CLEAR = (
    "if iscsiadm -m session >/dev/null 2>&1; then iscsiadm -m node -u >/dev/null 2>&1 || :; fi; "
    "rm -rf /var/lib/iscsi/nodes/* /var/lib/iscsi/send_targets/* "
    "/etc/iscsi/nodes/* /etc/iscsi/send_targets/*;")
# The count is the kernel's: its modules are unloaded, which takes all four by name.
FORGET = (
    "iscsiadm -k 0 >/dev/null 2>&1 || :; while pgrep -x iscsid >/dev/null; do sleep 0.02; done; "
    "if [ -d /sys/module/scsi_transport_iscsi ]; then "
    "modprobe -r iscsi_tcp libiscsi_tcp libiscsi scsi_transport_iscsi; fi;")


@dataclasses.dataclass(frozen=True)
class Login:
    """How a login ended; `exit_status` is iscsiadm's (0, 24 = refused by authentication, …)."""

    ok: bool
    exit_status: int
    words: str


class Initiator:
    """open-iscsi with its daemon; devices are found in /sys (no udev needed)."""

    def __init__(self, guest: Guest, **settings: str):
        self.guest = guest
        self._conf = {**PATIENT_SETTINGS, **settings}

    @property
    def name(self) -> str:
        return self.guest.initiator_name

    # -- life -----------------------------------------------------------------------------------

    def prepare(self, *, as_after_boot: bool = False, settings: dict[str, str] | None = None) -> str:
        """Logged out everywhere, no records, iscsid up; returns the version.

        `settings` replace some of those that records are made with from now on.
        `as_after_boot`: the count of sessions starts anew, too. open-iscsi's ISIDs are made from it,
        so two machines that are to have one identity need it.
        """
        lines = "".join(f"{key} = {value}\n" for key, value in {**self._conf, **(settings or {})}.items())
        words = self.guest.succeed(
            f"set -e; cat > {CONF}; {CLEAR} {FORGET if as_after_boot else ''} "
            "modprobe -a iscsi_tcp sd_mod; mkdir -p /run/lock/iscsi; "
            "pgrep -x iscsid >/dev/null || iscsid; iscsiadm --version",
            stdin="iscsid.startup = /sbin/iscsid\n" + lines,
            as_text="open-iscsi: logged out, no records, iscsid up, its version"
            + (", its count of sessions anew" if as_after_boot else ""))
        return words.strip().removeprefix("iscsiadm version ")

    def clear(self) -> None:
        """Logs out of everything and forgets every record."""
        self.guest.run(CLEAR, as_text="log out of everything, forget every record")

    # -- discovery and records ------------------------------------------------------------------

    def discover(self, portal: str) -> list[tuple[str, str]]:
        """SendTargets: pairs of portal address and target name. Makes node records, too."""
        words = self.guest.succeed(f"iscsiadm -m discovery -t sendtargets -p {portal}")
        return re.findall(r"^(\S+),\d+ (\S+)$", words, re.MULTILINE)

    def add_node(self, iqn: str, portal: str) -> None:
        """A record without discovery."""
        self.guest.succeed(f"iscsiadm -m node -o new -T {iqn} -p {portal} >/dev/null")

    def set(self, iqn: str, **parameters: str) -> None:
        """Sets record values; `__` stands for the dots: session__iscsi__InitialR2T="No"."""
        self.set_named(iqn, {"node." + k.replace("__", "."): v for k, v in parameters.items()})

    def set_named(self, iqn: str, values: dict[str, str]) -> None:
        updates = "; ".join(f"iscsiadm -m node -T {iqn} -o update -n '{k}' -v '{v}'"
                            for k, v in values.items())
        self.guest.succeed(f"set -e; {updates}")

    def use_chap(self, iqn: str, chap: Chap) -> None:
        values = {
            "node.session.auth.authmethod": "CHAP",
            "node.session.auth.username": chap.userid,
            "node.session.auth.password": chap.password,
        }
        if chap.mutual_userid:
            values["node.session.auth.username_in"] = chap.mutual_userid
            values["node.session.auth.password_in"] = chap.mutual_password
        self.set_named(iqn, values)

    # -- sessions -------------------------------------------------------------------------------

    def try_login(self, iqn: str) -> Login:
        """Logs in and says how it ended."""
        result: Result = self.guest.run(f"iscsiadm -m node -T {iqn} -l 2>&1")
        return Login(result.ok, result.exit_status, result.output.strip())

    def login(self, iqn: str) -> str:
        """Logs in and returns the device of LUN 0, e.g. `/dev/sda`."""
        self.guest.succeed(f"iscsiadm -m node -T {iqn} -l")
        return self.device(iqn)

    def logout(self, iqn: str) -> None:
        self.guest.succeed(f"iscsiadm -m node -T {iqn} -u")

    def rescan(self) -> None:
        self.guest.succeed("iscsiadm -m session -R")

    def sessions(self) -> list[str]:
        """Target names of the sessions that the kernel has."""
        words = self.guest.run("cat /sys/class/iscsi_session/session*/targetname 2>/dev/null").stdout
        return words.split()

    def negotiated(self, iqn: str, *names: str) -> dict[str, str]:
        """What the kernel uses: initial_r2t, immediate_data, first_burst_len, max_burst_len, … and
        header_digest, data_digest of the connection."""
        session = f"$(grep -lx {iqn} /sys/class/iscsi_session/session*/targetname | head -1)"
        script = f"s=$(basename $(dirname {session})); n=${{s#session}}; "
        script += "".join(
            f"echo {name} $(cat /sys/class/iscsi_session/$s/{name} "
            f"/sys/class/iscsi_connection/connection$n:0/{name} 2>/dev/null | head -1); "
            for name in names)
        words = self.guest.succeed(script, as_text="negotiated: " + " ".join(names))
        return dict(line.split(" ", 1) for line in words.splitlines() if " " in line)

    # -- disks ----------------------------------------------------------------------------------

    def device(self, iqn: str, lun: int = 0) -> str:
        """The block device of a LUN, once the kernel has it."""
        look = (f"for s in $(grep -lx {iqn} /sys/class/iscsi_session/session*/targetname); do "
                f"ls -d ${{s%/targetname}}/device/target*/*:{lun}/block/*; done 2>/dev/null | "
                "head -1 | grep .")
        path = self.guest.wait_until(look)
        return "/dev/" + path.strip().rsplit("/", 1)[-1]

    def size_bytes(self, device: str) -> int:
        return int(self.guest.succeed(f"blockdev --getsize64 {device}"))

    def checked_io(self, device: str, *, size_kib: int = 1024, offset_kib: int = 0) -> str:
        """Writes random data, drops the caches, reads it back; returns the SHA-256 of both.

        Raises CommandFailed when what comes back is not what was written.
        """
        script = f"""set -e
head -c {size_kib * 1024} /dev/urandom > /run/written
dd if=/run/written of={device} bs=256k seek={offset_kib * 1024} oflag=seek_bytes conv=fsync,notrunc 2>/dev/null
echo 3 > /proc/sys/vm/drop_caches
dd if={device} of=/run/read bs=256k skip={offset_kib * 1024} iflag=skip_bytes,count_bytes count={size_kib * 1024} 2>/dev/null
w=$(sha256sum < /run/written) r=$(sha256sum < /run/read)
rm -f /run/written /run/read
echo "written $w"; echo "read    $r"
[ "$w" = "$r" ]"""
        words = self.guest.succeed(
            script, as_text=f"write {size_kib} KiB of random data to {device}, read it back")
        return words.split()[1]
