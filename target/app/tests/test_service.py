"""tsihd serving stock initiators (libiscsi, QEMU) on loopback."""

import json
import os
import subprocess

from conftest import CEILING_S, eventually, run


def test_one_line_serves_a_new_disk_and_ends_in_order(tsihd, tmp_path):
    disk = tmp_path / "disk.img"
    server = tsihd("--serve", disk, "--size", "64M")
    assert server.url.endswith("/iqn.2026-11.org.tsih:disk.img/0")
    assert disk.stat().st_size == 64 << 20
    assert server.inquire().returncode == 0
    assert server.ask("ping")["ok"] is True
    assert server.end() == 0
    assert not os.path.exists(server.socket)
    assert disk.exists()


def test_a_disk_image_comes_back_as_it_went(tsihd, tmp_path):
    """Red when any byte changes on its way, for each way that written data can take."""
    image = tmp_path / "image"
    image.write_bytes(os.urandom(8 << 20))
    for parameters in (("InitialR2T=Yes", "ImmediateData=No"), ("InitialR2T=No", "ImmediateData=Yes"),
                       ("HeaderDigest=CRC32C", "MaxBurstLength=8192", "FirstBurstLength=4096")):
        folder = tmp_path / parameters[0]
        folder.mkdir()
        options = [word for p in parameters for word in ("--parameter", p)]
        server = tsihd("--serve", folder / "disk", "--size", "8M", *options, folder=folder)
        portal, target = server.portal, server.url.split("/")[3]
        digest = ",file.header-digest=crc32c" if "HeaderDigest=CRC32C" in parameters else ""
        disk = (f"driver=raw,file.driver=iscsi,file.transport=tcp,file.portal={portal},"
                f"file.target={target},file.lun=0{digest}")
        subprocess.run(["qemu-img", "convert", "-n", "-f", "raw", "--target-image-opts", image, disk],
                       check=True, timeout=CEILING_S, stdin=subprocess.DEVNULL)
        subprocess.run(["qemu-img", "convert", "--image-opts", disk, "-O", "raw", folder / "back"],
                       check=True, timeout=CEILING_S, stdin=subprocess.DEVNULL)
        assert (folder / "back").read_bytes() == image.read_bytes()
        assert (folder / "disk").read_bytes() == image.read_bytes()
        server.end()


def test_chap_both_ways(tsihd):
    server = tsihd("--serve", "ram:16M", "--chap", "alice:wonderland-1", "--mutual-chap",
                   "store:looking-glass")
    host = server.url.removeprefix("iscsi://")
    right = f"iscsi://alice%wonderland-1@{host}"
    assert server.inquire().returncode != 0
    assert server.inquire(f"iscsi://alice%wrong-password@{host}").returncode != 0
    assert server.inquire(right).returncode == 0
    back = {"LIBISCSI_CHAP_TARGET_USERNAME": "store"}
    assert server.inquire(right, LIBISCSI_CHAP_TARGET_PASSWORD="looking-glass",
                          **back).returncode == 0
    assert server.inquire(right, LIBISCSI_CHAP_TARGET_PASSWORD="not-our-store",
                          **back).returncode != 0
    assert "wonderland" not in server.log.read_text()


def test_an_initiator_is_sent_elsewhere_and_goes_there(tsihd, tmp_path):
    """libiscsi follows a temporary TargetAddress (RFC 3720 10.13.5), if it has not done CHAP."""
    (tmp_path / "new").mkdir()
    name = ["--iqn", "iqn.2026-11.org.example:moved"]
    new = tsihd("--serve", "ram:2M", *name, folder=tmp_path / "new")
    old = tsihd("--serve", "ram:1M", *name, "--attribute", f"redirect_address={new.portal}")
    asked = old.inquire()
    assert asked.returncode == 0, asked.stderr
    counters = old.ask("stats")["counters"]
    assert counters["logins_refused_0101_moved_temporarily"] == 1
    assert counters["logins_succeeded"] == counters["logins_failed"] == 0
    assert new.ask("stats")["counters"]["logins_succeeded"] == 1


def saved_configuration(tmp_path) -> dict:
    def group(luns, **more):
        return {"tag": 1, "enable": True, "luns": luns, "node_acls": [],
                "portals": [{"ip_address": "127.0.0.1", "port": 0}], **more}

    def lun(index, path):
        return {"index": index, "storage_object": path}

    known = {"node_wwn": "iqn.2026-11.org.tsih:known",
             "mapped_luns": [{"index": 5, "tpg_lun": 1, "write_protect": True}]}
    return {
        "storage_objects": [
            {"plugin": "fileio", "name": "first", "dev": str(tmp_path / "first"), "size": 1 << 20,
             "write_back": True, "wwn": "serial-1"},
            {"plugin": "ramdisk", "name": "second", "size": 2 << 20, "wwn": "serial-2"}],
        "targets": [
            {"fabric": "iscsi", "wwn": "iqn.2026-11.org.tsih:closed", "tpgs": [
                group([lun(0, "/backstores/fileio/first"), lun(1, "/backstores/ramdisk/second")],
                      node_acls=[known])]},
            {"fabric": "iscsi", "wwn": "iqn.2026-11.org.tsih:open", "tpgs": [
                group([lun(0, "/backstores/fileio/first")],
                      attributes={"generate_node_acls": 1, "demo_mode_write_protect": 0})]}],
    }


def test_a_saved_configuration_is_served_as_it_says(tsihd, tmp_path):
    (tmp_path / "first").write_bytes(bytes(1 << 20))
    (tmp_path / "saveconfig.json").write_text(json.dumps(saved_configuration(tmp_path)))
    server = tsihd("--config", tmp_path / "saveconfig.json", portal=None)
    ready = [server.first_line] + [server.process.stdout.readline() for _ in range(2)]
    urls = [line.split()[1] for line in ready]
    assert [url.split("/")[3:] for url in urls] == [
        ["iqn.2026-11.org.tsih:closed", "0"], ["iqn.2026-11.org.tsih:closed", "1"],
        ["iqn.2026-11.org.tsih:open", "0"]]
    mapped = urls[0][:-1] + "5"
    assert server.inquire(mapped, "iqn.2026-11.org.tsih:stranger").returncode != 0
    assert server.inquire(mapped, "iqn.2026-11.org.tsih:known").returncode == 0
    assert server.inquire(urls[2], "iqn.2026-11.org.tsih:stranger").returncode == 0
    names = {disk["name"]: disk for disk in server.ask("luns")["luns"]}
    assert names["second"]["mappings"][1]["initiator"] == "iqn.2026-11.org.tsih:known"
    assert names["second"]["mappings"][1]["write_protected"] is True


def test_a_grown_file_is_noticed_without_being_told(tsihd, tmp_path):
    disk = tmp_path / "disk"
    server = tsihd("--serve", disk, "--size", "1M")
    os.truncate(disk, 2 << 20)
    eventually(lambda: server.ask("luns")["luns"][0]["size_bytes"] == 2 << 20)


def test_resize_on_command(tsihd, tmp_path):
    disk = tmp_path / "disk"
    server = tsihd("--serve", disk, "--size", "1M")
    done = server.control("resize", "disk", "4M")
    assert (done.returncode, done.stdout) == (
        0, "disk: 4 MiB (4194304 bytes), initiators are told\n")
    assert disk.stat().st_size == 4 << 20
    wrong = server.control("resize", "dsk", "4M")
    assert wrong.returncode == 1 and 'did you mean "disk"?' in wrong.stderr


def test_several_share_a_machine_and_a_dead_ones_socket_is_no_hindrance(tsihd, tmp_path):
    first = tsihd("--serve", "ram:1M")
    second = run("tsihd", "--serve", "ram:1M", "--portal", "127.0.0.1:0", "--control", first.socket)
    assert second.returncode == 2 and "another tsihd serves it" in second.stderr
    assert first.ask("ping")["pid"] == first.process.pid
    first.process.kill()
    first.process.wait()
    third = tsihd("--serve", "ram:1M")
    assert third.ask("ping")["pid"] == third.process.pid


def test_the_guard_decides_and_tsihctl_shows_and_lifts_it(tsihd, tmp_path):
    server = tsihd("--serve", "ram:16M", "--attribute", "max_sessions=1",
                   "--attribute", "session_guard=fence")
    with (tmp_path / "incumbent.log").open("wb") as log:
        incumbent = subprocess.Popen(["qemu-img", "bench", "-f", "raw", "-c", "100000000", "-d", "1",
                                      "-s", "4096", server.url], stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log)
    try:
        eventually(lambda: server.ask("sessions")["sessions"])
        assert server.inquire(initiator="iqn.2026-11.org.tsih:newcomer").returncode == 0
        fenced = server.ask("status")["fences"]
        assert [fence["initiator"] for fence in fenced] == ["iqn.2008-11.org.linux-kvm"]
        kept_out = server.inquire(initiator="iqn.2008-11.org.linux-kvm")
        assert kept_out.returncode != 0
        assert server.ask("stats")["counters"]["guard_fenced"] == 1
    finally:
        incumbent.kill()
        incumbent.wait()
    assert server.control("unfence", "iqn.2008-11.org.linux-kvm").returncode == 0
    assert server.control("unfence", "iqn.2008-11.org.linux-kvm").returncode == 1
    assert server.inquire(initiator="iqn.2008-11.org.linux-kvm").returncode == 0
