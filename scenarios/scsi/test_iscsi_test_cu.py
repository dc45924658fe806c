"""libiscsi's iscsi-test-cu against real SCSI devices of the target guest, by block and by pscsi.

What may end otherwise than by passing stands in harness/driver/tsih/iscsi_test_cu.toml; a row that does
not come true is reported, too. Initiator and target are one guest and talk over its loopback: of what
is judged here nothing depends on the wire, and under emulation a second guest costs more than the tests.
"""

import pytest

from tsih.iscsitestcu import TABLE, parse
from tsih.targetconfig import Disk

CU_CEILING_S = 1100  # two minutes on an idle host, half of them sleep
DISK_MIB = 8  # soon wiped
STATE = "/var/lib/tsihd/pr"  # where tsihd looks for its --state
SCSI_DEBUG = (f"modprobe scsi_debug dev_size_mb={DISK_MIB} lbpu=1 lbpws=1 lbpws10=1 lbprz=1 delay=0; "
              "modprobe -a sd_mod sg")
# The whole path of a device by its vendor, as long as udev does not name it.
FIND = ("for d in /sys/class/block/sd*; do "
        "grep -q {vendor} $d/device/vendor && echo /dev/${{d##*/}}; done | grep .")


@pytest.fixture(params=["scsi_debug", "virtio-scsi"])
def device(request, lab, target):
    """(kind, path) of a SCSI disk in the target guest."""
    guest = target.guest
    if request.param == "scsi_debug":
        guest.succeed(SCSI_DEBUG)
        yield request.param, guest.wait_until(FIND.format(vendor="Linux")).strip()
        target.stop()
        guest.run("modprobe -r scsi_debug")
    else:
        guest.succeed("modprobe -a virtio_scsi sd_mod sg")
        lab.client.call("disk.add", guest="target",
                        disk={"name": "vscsi", "size_bytes": DISK_MIB << 20, "bus": "virtio-scsi"})
        yield request.param, "/dev/tsih/vscsi"
        target.stop()
        lab.client.call("disk.remove", guest="target", disk="vscsi")


@pytest.mark.systems("tsihd")
@pytest.mark.parametrize("plugin", ["block", "pscsi"])
def test_iscsi_test_cu(story, target, device, plugin):
    """iscsi-test-cu against {plugin}: what the standard says, on a device that is one."""
    story.initiator = "libiscsi"
    kind, path = device
    disk = f"{plugin} on {kind}"
    story.step(f"The target serves {disk}")
    target.guest.succeed(f"rm -rf {STATE}; mkdir -p {STATE}")  # with it there is WRITE ATOMIC
    # The suite sleeps for a minute where it waits for a wipe: it answers no ping meanwhile.
    target.serve(Disk("judged", path, plugin=plugin), attributes={"nopin_timeout": 0})
    # Two ways to it: the suite's multipath tests want a second one.
    url = " ".join(f"iscsi://127.0.0.{way}/{target.iqn}/0" for way in (1, 2))
    story.step("iscsi-test-cu --dataloss --allow-sanitize")
    output = target.guest.run(
        f"iscsi-test-cu -v --dataloss --allow-sanitize --test=ALL {url} 2>&1", timeout_s=CU_CEILING_S).stdout
    (story.folder.path / "iscsi-test-cu.log").write_text(output, encoding="utf-8")
    outcomes = parse(output)
    assert len(outcomes) > 200, f"expected its tests, got {output[-300:]}"
    for verdict in ("passed", "skipped", "failed"):
        story.metric(verdict, len([o for o in outcomes if o.verdict == verdict]))
    judgements = [TABLE.judge(outcome, disk) for outcome in outcomes]
    for judgement in judgements:
        if judgement.verdict == "violation" or not judgement.message.endswith("passes"):
            story.finding(verdict=judgement.verdict, property="iscsi_test_cu",
                          message=judgement.message, evidence={"file": "iscsi-test-cu.log", "line": 1})
    wrong = [j.message for j in judgements if j.verdict == "violation"]
    story.judge(not wrong, property="iscsi_test_cu",
                passed=f"{len(outcomes)} tests of iscsi-test-cu did what is expected on {disk}",
                failed=f"expected {len(outcomes)} tests as the table has them, {len(wrong)} are not: "
                       f"{wrong[:2]}")
