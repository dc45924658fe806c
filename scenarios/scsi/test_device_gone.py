"""A disk that goes away under its LUN: initiators hear of it in sense data, and nobody else suffers."""

import pytest

from tsih.targetconfig import Disk

MIB = 1 << 20
STAYS = "/srv/stays.img"
FIND = "for d in /sys/class/block/sd*; do grep -q Linux $d/device/vendor && echo ${d##*/}; done | grep ."
READ = "28 00 00 00 00 00 00 00 01 00"  # of one block


@pytest.fixture
def disk(target):
    """The name of a disk in the target guest that can be pulled."""
    target.guest.succeed("modprobe scsi_debug dev_size_mb=8 delay=0; modprobe -a sd_mod sg")
    yield target.guest.wait_until(FIND).strip()
    target.stop()
    target.guest.run("modprobe -r scsi_debug")


@pytest.mark.systems("tsihd")
@pytest.mark.parametrize("plugin", ["block", "pscsi"])
def test_device_gone(story, target, disk, initiator, plugin):
    """{plugin}: the disk is pulled; its LUN tells by sense data, the other LUN and the sessions stay."""
    story.step("The target serves a SCSI disk and a file; the initiator logs in and reads both")
    target.serve(Disk("pulled", f"/dev/{disk}", plugin=plugin), Disk("stays", STAYS, size_bytes=MIB))
    initiator.add_node(target.iqn, target.portal)
    guest, pulled = initiator.guest, initiator.login(target.iqn)
    stays = initiator.device(target.iqn, 1)
    for device in (pulled, stays):
        guest.succeed(f"sg_raw -r 512 {device} {READ}")
    with story.fault("target: the disk is pulled out", "target"):
        target.guest.succeed(f"echo 1 > /sys/block/{disk}/device/delete")
    story.step("Reads of the disk that is gone fail, each time, and say why")
    for _ in range(3):
        answer = guest.run(f"sg_raw -r 512 {pulled} {READ}").output
        story.judge("Check Condition" in answer and "ommunication failure" in answer,
                    property="device_gone",
                    passed="CHECK CONDITION: logical unit communication failure",
                    failed="expected CHECK CONDITION with a communication failure of the logical unit, "
                           f"got {' '.join(answer.split())[-200:]}")
    story.step("The other LUN is as it was, and so is the session")
    answer = guest.run(f"sg_raw -r 512 {stays} {READ}")
    sessions = len(initiator.sessions())
    story.judge(answer.ok and sessions == 1, property="device_gone",
                passed="the other LUN is read over the same session",
                failed=f"expected one session and a good read of the other LUN, got {sessions} and "
                       f"{answer.output.strip()[-200:]}")
