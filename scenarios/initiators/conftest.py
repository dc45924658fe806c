"""A machine on which open-iscsi serves nobody but the suite."""

import pytest

from tsih.initiator import Initiator
from tsih.targets import INITIATORS

(OPEN_ISCSI,) = INITIATORS
# What the kernel would try for minutes ends in seconds here; what may be negotiated is offered.
SETTINGS = {
    "node.session.timeo.replacement_timeout": "3",
    "node.session.iscsi.DefaultTime2Wait": "0",
    "node.conn[0].timeo.login_timeout": "3",
    "node.conn[0].timeo.logout_timeout": "2",
    "node.conn[0].timeo.noop_out_interval": "0",
    "node.conn[0].timeo.noop_out_timeout": "0",
    "node.session.err_timeo.abort_timeout": "2",
    "node.session.err_timeo.lu_reset_timeout": "2",
    "node.session.err_timeo.tgt_reset_timeout": "2",
    "node.conn[0].iscsi.HeaderDigest": "CRC32C,None",
    "node.conn[0].iscsi.DataDigest": "CRC32C,None",
    "node.session.iscsi.InitialR2T": "No",
    "node.session.iscsi.MaxOutstandingR2T": "4",
}
# Without the driver of disks nobody reads or writes but the suite, through sg. udev must not load it.
NO_DISKS = ("mkdir -p /etc/modprobe.d && echo install sd_mod /bin/false >/etc/modprobe.d/no-disks.conf "
            "&& modprobe -r sd_mod && modprobe sg")


@pytest.fixture(scope="session")
def machines():
    return {"judged": {"memory_mib": 384}}


@pytest.fixture
def alone(lab, story):
    """The guest, with open-iscsi ready and logged in nowhere; it ends with its scenario."""
    guest = lab.guest("judged")
    story.run.add_system(OPEN_ISCSI)
    story.run.add_versions({OPEN_ISCSI: Initiator(guest, **SETTINGS).prepare()})
    guest.succeed(NO_DISKS, as_text="no driver of disks: what reads and writes is the suite")
    yield guest
    if not lab.kept and guest.is_up:
        lab.end_guest(guest.name)
