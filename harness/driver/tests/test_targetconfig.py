"""One description, two systems: LIO's saveconfig JSON and a configfs script."""

import pytest

from tsih.targetconfig import Chap, Disk, TargetConfig

FILE = Disk("a", "/srv/a.img", size_bytes=1 << 20)
BLOCK = Disk("b", "/dev/tank/b", plugin="block")
ONE = "iqn.2026-01.org.tsih:one"
MUTUAL = Chap("alice", "secret-of-alice", "disk", "secret-of-disk")


def tpg(config):
    return config.to_saveconfig()["targets"][0]["tpgs"][0]


def test_disks_become_luns_in_their_order():
    saved = TargetConfig((FILE, BLOCK)).to_saveconfig()
    assert [o["plugin"] for o in saved["storage_objects"]] == ["fileio", "block"]
    assert saved["storage_objects"][0]["size"] == 1 << 20
    luns = saved["targets"][0]["tpgs"][0]["luns"]
    assert [(x["index"], x["storage_object"]) for x in luns] == [
        (0, "/backstores/fileio/a"), (1, "/backstores/block/b")]


def test_without_acls_everybody_may_write():
    attributes = tpg(TargetConfig((FILE,)))["attributes"]
    assert attributes["generate_node_acls"] == 1
    assert attributes["demo_mode_write_protect"] == 0
    assert attributes["authentication"] == 0


def test_an_acl_with_chap_demands_authentication_and_maps_every_lun():
    group = tpg(TargetConfig((FILE, BLOCK), acls={ONE: MUTUAL}))
    assert group["attributes"]["authentication"] == 1
    assert group["attributes"]["generate_node_acls"] == 0
    (acl,) = group["node_acls"]
    assert acl["node_wwn"] == ONE and acl["chap_mutual_userid"] == "disk"
    assert [m["tpg_lun"] for m in acl["mapped_luns"]] == [0, 1]


def test_an_acl_without_secrets_has_none_in_it():
    (acl,) = tpg(TargetConfig((FILE,), acls={ONE: None}))["node_acls"]
    assert not [key for key in acl if key.startswith("chap")]


def test_the_guard_is_an_attribute_of_the_group_and_not_lios():
    config = TargetConfig((FILE,), attributes={"max_sessions": 1, "session_guard": "fence"})
    assert tpg(config)["attributes"]["session_guard"] == "fence"
    with pytest.raises(ValueError, match="max_sessions, session_guard"):
        config.to_configfs()


def test_configfs_has_what_the_json_has():
    script = TargetConfig((FILE, BLOCK), acls={ONE: MUTUAL},
                          parameters={"InitialR2T": "No"}).to_configfs()
    for line in (
        "[ -b /srv/a.img ] || truncate -s 1048576 /srv/a.img",
        "echo fd_dev_name=/srv/a.img,fd_dev_size=1048576 > "
        "/sys/kernel/config/target/core/fileio_0/a/control",
        "echo udev_path=/dev/tank/b > /sys/kernel/config/target/core/iblock_1/b/control",
    ):
        assert line in script.splitlines()
    assert "/param/InitialR2T" in script
    assert "printf %s secret-of-disk > " in script and "/auth/password_mutual" in script
    assert script.splitlines()[-1].endswith("/tpgt_1/enable")


def test_a_secret_with_shell_characters_stays_a_secret():
    config = TargetConfig((FILE,), acls={ONE: Chap("a", "x'; reboot #")})
    assert "'x'\"'\"'; reboot #'" in config.to_configfs()


def test_a_disk_has_one_serial_everywhere():
    assert FILE.serial == Disk("a", "/elsewhere", size_bytes=1).serial != BLOCK.serial
    assert FILE.serial in TargetConfig((FILE,)).to_configfs()


@pytest.mark.parametrize("arguments", [{"plugin": "ramdisk"}, {"plugin": "fileio"}], ids=str)
def test_a_disk_that_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        Disk("a", "/a", **arguments)


def test_every_address_is_a_portal():
    config = TargetConfig((FILE,), addresses=("10.0.0.1", "10.0.1.1"))
    assert [p["ip_address"] for p in tpg(config)["portals"]] == ["10.0.0.1", "10.0.1.1"]
    assert "np/10.0.0.1:3260" in config.to_configfs() and "np/10.0.1.1:3260" in config.to_configfs()


def test_blocks_of_4096_bytes_are_said_on_both_systems():
    config = TargetConfig((Disk("a", "/srv/a.img", size_bytes=1 << 20, block_size_bytes=4096),))
    assert config.to_saveconfig()["storage_objects"][0]["attributes"] == {"block_size": 4096}
    assert "echo 4096 > /sys/kernel/config/target/core/fileio_0/a/attrib/block_size" \
        in config.to_configfs()


def test_a_scsi_device_is_passed_on_by_its_path():
    config = TargetConfig((Disk("a", "/dev/sg1", plugin="pscsi"),))
    saved = config.to_saveconfig()["storage_objects"][0]
    assert (saved["plugin"], saved["dev"]) == ("pscsi", "/dev/sg1")
    with pytest.raises(ValueError, match="pscsi"):
        config.to_configfs()
