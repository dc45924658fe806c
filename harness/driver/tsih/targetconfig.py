"""What a target is to serve, once, for every system: as LIO's saveconfig JSON (tsihd loads it) and as
a shell script over LIO's configfs (quicker in an emulated guest than LIO's Python tools).

Both come from one description, so that a scenario runs on both systems with the same words.
"""

from __future__ import annotations

import dataclasses
import shlex
import uuid

CONFIGFS = "/sys/kernel/config/target"
# Attributes that only tsihd has; a configuration that uses them cannot be given to LIO.
GUARD_ATTRIBUTES = frozenset(
    {"max_sessions", "session_guard", "guard_probe_ms", "fence_hold_s", "guard_refusal_status"}
)
DEFAULT_IQN = "iqn.2026-01.org.tsih:disk"


@dataclasses.dataclass(frozen=True)
class Chap:
    """CHAP names and secrets; the mutual pair empty: the target is not asked to prove itself."""

    userid: str
    password: str
    mutual_userid: str = ""
    mutual_password: str = ""

    def as_json(self) -> dict[str, str]:
        pairs = {"chap_userid": self.userid, "chap_password": self.password}
        if self.mutual_userid:
            pairs["chap_mutual_userid"] = self.mutual_userid
            pairs["chap_mutual_password"] = self.mutual_password
        return pairs

    def as_files(self) -> dict[str, str]:
        pairs = {"userid": self.userid, "password": self.password}
        if self.mutual_userid:
            pairs["userid_mutual"] = self.mutual_userid
            pairs["password_mutual"] = self.mutual_password
        return pairs


@dataclasses.dataclass(frozen=True)
class Disk:
    """A storage object. `plugin` is LIO's: fileio (a file, made sparse with `size_bytes`, or a device
    of that size), block, or pscsi (a SCSI device by its path).

    `block_size_bytes` is fileio's logical block; the others have their device's.
    """

    name: str
    path: str
    plugin: str = "fileio"
    size_bytes: int | None = None
    write_back: bool = False
    block_size_bytes: int = 512

    def __post_init__(self) -> None:
        if self.plugin not in ("fileio", "block", "pscsi"):
            raise ValueError(f"expected plugin fileio, block or pscsi, got {self.plugin!r}")
        if self.plugin == "fileio" and not self.size_bytes:
            raise ValueError(f"expected size_bytes with fileio {self.name!r}, got none")

    @property
    def making(self) -> str:
        """The shell command that makes fileio's file; a device is there already."""
        path = shlex.quote(self.path)
        return f"[ -b {path} ] || truncate -s {self.size_bytes} {path}"

    @property
    def serial(self) -> str:
        """The same disk has the same serial number on every system and in every run."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tsih:{self.name}"))


@dataclasses.dataclass(frozen=True)
class TargetConfig:
    """One target node with one portal group: disks become LUN 0, 1, … in their order.

    Without `acls` the group is in demo mode: every initiator gets every LUN, writable. With them
    only those initiators may log in.
    """

    disks: tuple[Disk, ...]
    iqn: str = DEFAULT_IQN
    addresses: tuple[str, ...] = ("0.0.0.0",)
    port: int = 3260
    acls: dict[str, Chap | None] = dataclasses.field(default_factory=dict)
    attributes: dict[str, int | str] = dataclasses.field(default_factory=dict)
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)

    def all_attributes(self) -> dict[str, int | str]:
        demo = 0 if self.acls else 1
        chap = any(self.acls.values())
        return {
            "authentication": 1 if chap else 0,
            "generate_node_acls": demo,
            "demo_mode_write_protect": 0,
            "cache_dynamic_acls": demo,
            **self.attributes,
        }

    def to_saveconfig(self) -> dict:
        """The JSON that LIO's tools would have saved for this."""
        return {
            "fabric_modules": [],
            "storage_objects": [_storage_object(disk) for disk in self.disks],
            "targets": [
                {
                    "fabric": "iscsi",
                    "wwn": self.iqn,
                    "tpgs": [
                        {
                            "tag": 1,
                            "enable": True,
                            "attributes": self.all_attributes(),
                            "parameters": dict(self.parameters),
                            "luns": [
                                {
                                    "alias": f"lun{index}",
                                    "alua_tg_pt_gp_name": "default_tg_pt_gp",
                                    "index": index,
                                    "storage_object": f"/backstores/{disk.plugin}/{disk.name}",
                                }
                                for index, disk in enumerate(self.disks)
                            ],
                            "node_acls": [
                                self._node_acl(name, chap) for name, chap in self.acls.items()
                            ],
                            "portals": [
                                {
                                    "ip_address": address,
                                    "iser": False,
                                    "offload": False,
                                    "port": self.port,
                                }
                                for address in self.addresses
                            ],
                        }
                    ],
                }
            ],
        }

    def _node_acl(self, name: str, chap: Chap | None) -> dict:
        return {
            "node_wwn": name,
            "attributes": {},
            "mapped_luns": [
                {"alias": f"mapped{index}", "index": index, "tpg_lun": index, "write_protect": False}
                for index in range(len(self.disks))
            ],
            **(chap.as_json() if chap else {}),
        }

    def to_configfs(self) -> str:
        """A shell script (run with `sh -e`) that makes LIO serve this.

        Raises ValueError for what LIO does not have.
        """
        foreign = sorted(GUARD_ATTRIBUTES & self.attributes.keys())
        if foreign:
            raise ValueError(f"expected attributes that LIO has, got {', '.join(foreign)}")
        group = f"{CONFIGFS}/iscsi/{self.iqn}/tpgt_1"
        lines = [f"mkdir -p {CONFIGFS}/iscsi"]
        for index, disk in enumerate(self.disks):
            lines += _configfs_disk(index, disk)
        lines.append(f"mkdir -p {group}")
        for name, value in self.all_attributes().items():
            lines.append(_put(value, f"{group}/attrib/{name}"))
        for name, value in self.parameters.items():
            lines.append(_put(value, f"{group}/param/{name}"))
        for index, disk in enumerate(self.disks):
            lines.append(f"mkdir {group}/lun/lun_{index}")
            lines.append(f"ln -s {_configfs_path(index, disk)} {group}/lun/lun_{index}/disk")
        for name, chap in self.acls.items():
            lines += self._configfs_acl(group, name, chap)
        for address in self.addresses:
            lines.append(f"mkdir {group}/np/{address}:{self.port}")
        lines.append(_put(1, f"{group}/enable"))
        return "\n".join(lines) + "\n"

    def _configfs_acl(self, group: str, name: str, chap: Chap | None) -> list[str]:
        acl = f"{group}/acls/{name}"
        lines = [f"mkdir {acl}"]
        for key, value in (chap.as_files() if chap else {}).items():
            # printf, not echo: a newline would become a part of the secret.
            lines.append(f"printf %s {shlex.quote(value)} > {acl}/auth/{key}")
        for index in range(len(self.disks)):
            lines.append(f"mkdir {acl}/lun_{index}")
            lines.append(f"ln -s {group}/lun/lun_{index} {acl}/lun_{index}/lun")
            lines.append(_put(0, f"{acl}/lun_{index}/write_protect"))
        return lines


# Takes LIO's configuration away, whatever it is, in the order that configfs demands.
CLEAR_CONFIGFS = f"""
cd {CONFIGFS} 2>/dev/null || exit 0
for f in iscsi/iqn*/tpgt_*/enable; do [ -e $f ] && echo 0 > $f; done
find iscsi/iqn*/tpgt_*/acls -mindepth 3 -maxdepth 3 -type l -delete 2>/dev/null
find iscsi/iqn*/tpgt_*/acls -mindepth 2 -maxdepth 2 -type d -name 'lun_*' -exec rmdir {{}} + 2>/dev/null
for d in iscsi/iqn*/tpgt_*/acls/*; do [ -d $d ] && rmdir $d; done
find iscsi/iqn*/tpgt_*/lun -mindepth 2 -maxdepth 2 -type l -delete 2>/dev/null
for d in iscsi/iqn*/tpgt_*/lun/lun_* iscsi/iqn*/tpgt_*/np/* iscsi/iqn*/tpgt_* iscsi/iqn* core/*_[0-9]*/* core/*_[0-9]*; do
  case $d in */alua) ;; *) [ -d $d ] && rmdir $d ;; esac
done
exit 0
"""


def _put(value: int | str, path: str) -> str:
    return f"echo {shlex.quote(str(value))} > {path}"


def _configfs_path(index: int, disk: Disk) -> str:
    if disk.plugin == "pscsi":
        raise ValueError(f"expected fileio or block on LIO, got pscsi for {disk.name!r}")
    hba = {"fileio": "fileio", "block": "iblock"}[disk.plugin]
    return f"{CONFIGFS}/core/{hba}_{index}/{disk.name}"


def _configfs_disk(index: int, disk: Disk) -> list[str]:
    path = _configfs_path(index, disk)
    lines = [f"mkdir -p {path}"]
    if disk.plugin == "fileio":
        lines.insert(0, disk.making)
        lines.append(_put(f"fd_dev_name={disk.path},fd_dev_size={disk.size_bytes}", f"{path}/control"))
        if disk.write_back:
            lines.append(_put("fd_buffered_io=1", f"{path}/control"))
    else:
        lines.append(_put(f"udev_path={disk.path}", f"{path}/control"))
        lines.append(f"printf %s {shlex.quote(disk.path)} > {path}/udev_path")
    lines.append(_put(disk.serial, f"{path}/wwn/vpd_unit_serial"))
    lines.append(_put(1, f"{path}/enable"))
    if disk.block_size_bytes != 512:
        lines.append(_put(disk.block_size_bytes, f"{path}/attrib/block_size"))
    return lines


def _storage_object(disk: Disk) -> dict:
    common = {
        "name": disk.name,
        "plugin": disk.plugin,
        "dev": disk.path,
        "wwn": disk.serial,
        "write_back": disk.write_back,
        "attributes": {},
    }
    if disk.plugin == "fileio":
        attributes = {} if disk.block_size_bytes == 512 else {"block_size": disk.block_size_bytes}
        return {**common, "size": disk.size_bytes, "aio": False, "attributes": attributes}
    if disk.plugin == "pscsi":
        return {key: common[key] for key in ("name", "plugin", "dev", "wwn", "attributes")}
    return {**common, "readonly": False}
