"""sg3_utils, the field's own tools, from the stock Linux initiator: every answer makes sense to them.

Each command is a step of the story with its output; what is asserted is the fact that matters.
"""

import re

import pytest

from tsih.targetconfig import Disk

MIB = 1 << 20
SIZE = 64 * MIB
IMAGE = "/srv/sg3.img"
PATTERN = "head -c 512 /dev/zero | tr '\\000' '\\132' > /run/pattern"  # a block of Z


@pytest.fixture
def lun(story, target, initiator):
    """A LUN of 64 MiB and its tools."""
    story.step("The target serves a sparse file of 64 MiB; the initiator logs in")
    target.guest.succeed(f"rm -f {IMAGE}; mkdir -p /var/lib/tsihd/pr")
    target.serve(Disk("sg3", IMAGE, size_bytes=SIZE, write_back=True))
    initiator.add_node(target.iqn, target.portal)
    return Tools(story, initiator.guest, initiator.login(target.iqn))


class Tools:
    """sg3_utils on one device."""

    def __init__(self, story, guest, device):
        self._story, self.guest, self.device = story, guest, device

    def says(self, command, *facts):
        """Runs it, `@` being the device, and judges that its output matches every regular expression."""
        ended = self.guest.run(command.replace("@", self.device), expect=True)
        output = [line.strip() for line in ended.output.splitlines()]
        lines = {fact: next((line for line in output if re.search(fact, line)), None)
                 for fact in facts}
        missing = [fact for fact, line in lines.items() if line is None]
        self._story.judge(
            ended.ok and not missing, property="sg3_utils",
            passed=f"{command.replace(' @', '')}: {'; '.join(map(str, lines.values())) or 'done'}",
            failed=f"expected `{command}` to say {' and '.join(missing) or 'that it is done'}, got exit "
                   f"status {ended.exit_status}: {' '.join(output)[-300:]}")
        return ended.output

    def block(self, lba):
        """What a block has, as a word: the letter that it is full of, or its SHA-256."""
        words = self.guest.succeed(
            f"dd if={self.device} skip={lba} count=1 iflag=direct 2>/dev/null | "
            "{ tee /run/block | tr -d '\\132' | wc -c; tr -d '\\000' < /run/block | wc -c; }",
            as_text=f"what block {lba} has").split()
        return "Z" if words[0] == "0" else "zeroes" if words[1] == "0" else "data"

    def has(self, **blocks):
        """Judges what blocks have: lba_64="Z"."""
        for name, expected in blocks.items():
            lba = int(name.removeprefix("lba_"))
            found = self.block(lba)
            self._story.judge(found == expected, property="sg3_utils",
                              passed=f"block {lba} has {expected}",
                              failed=f"expected {expected} in block {lba}, got {found}")


@pytest.mark.systems("tsihd")
def test_sg_identity(story, lun):
    """sg_inq, sg_vpd, sg_luns, sg_readcap, sg_opcodes, sg_logs, sg_modes: what the LUN says of itself."""
    story.step("INQUIRY and every page of vital product data")
    lun.says("sg_inq @", "Peripheral device type: disk", r"SPC-\d", "CmdQue=1")
    demanded = ("sv", "sn", "di", "ei", "bl", "bdc", "lbpv")
    pages = lun.says("sg_vpd @", *(re.escape(f"[{page}]") for page in demanded))
    for page in re.findall(r"\[(\w+)\]$", pages, re.MULTILINE):
        lun.says(f"sg_vpd -p {page} @", *VPD_FACTS.get(page, ()))
    story.step("Its size, its place, its commands")
    lun.says("sg_readcap --16 @", f"Device size: {SIZE} bytes", "lbpme=1, lbprz=1")
    lun.says("sg_luns @", "1 lun entry", "^0000000000000000$")
    lun.says("sg_opcodes @", *(re.escape(name) for name in (
        "Compare and write", "Unmap", "Write same(16)", "Sanitize, overwrite", "Get LBA status(16)",
        "Persistent reserve out, preempt and abort", "Report supported operation codes")))
    lun.says("sg_opcodes --opcode=0x42 @", "(?i)unmap")
    story.step("Log pages and mode pages")
    lun.says("sg_logs @", "Supported log pages")
    lun.says("sg_modes @", "Caching", "Control", "DpoFua=1")
    lun.says("sg_turs @")
    lun.says("sg_requests @", "No Sense")


# What matters on each page; a page that is not here only has to be understood by sg_vpd.
VPD_FACTS = {
    "sn": ("Unit serial number: [0-9a-f-]{36}",),
    "di": ("designator type: NAA", r"iqn\.2026-01\.org\.tsih:disk,t,0x0001"),
    "bl": ("Maximum unmap LBA count: [1-9]", "Maximum compare and write length: [1-9]",
           "Maximum write same length: "),
    "bdc": ("Non-rotating medium",),
    "lbpv": (r"Unmap command supported \(LBPU\): 1", "thin provisioned"),
    "sp": ("Relative port ?= ?1$", r"iqn\.2026-01\.org\.tsih:disk,t,0x0001"),
}


@pytest.mark.systems("tsihd")
def test_sg_port_groups(story, lun):
    """sg_rtpg, sg_stpg: the target port group, in standby and back."""
    story.step("One group, of the one port")
    lun.says("sg_rtpg --decode @", "target port group id : 0x0 ", "active/optimized", "S_SUP : 1",
             "target port count : 0*1$", "^0x0*1$")
    story.step("Standby: the LUN says what it is, and no more")
    lun.says("sg_stpg --standby --tp=0 @")
    lun.says("sg_rtpg --decode @", "standby", "status code : 0x0*1 ")
    lun.says("! sg_turs --verbose @", "(?i)target port in standby state")
    lun.says("sg_inq @", "Peripheral device type: disk")
    story.step("Active again")
    lun.says("sg_stpg --active --tp=0 @")
    lun.says("sg_turs @")


@pytest.mark.systems("tsihd")
def test_sg_reservations(story, lun):
    """sg_persist: register, reserve, read keys, full status, preempt, release, clear."""
    story.step("What is offered")
    lun.says("sg_persist -c @", r"PTPL_C\): 1", "Write Exclusive, registrants only: 1")
    story.step("Register, reserve, look")
    lun.says("sg_persist --out --register --param-sark=0xabc @")
    lun.says("sg_persist -k @", "0xabc")
    lun.says("sg_persist --out --reserve --param-rk=0xabc --prout-type=5 @")
    lun.says("sg_persist -r @", "Key=0xabc", "Write Exclusive, registrants only")
    lun.says("sg_persist -s @", "Reservation holder", r"iqn\.2026-01\.org\.tsih:one,i,0x[0-9a-f]{12}")
    story.step("A holder preempts itself to change the type, releases, clears")
    lun.says("sg_persist --out --preempt --param-rk=0xabc --param-sark=0xabc --prout-type=1 @")
    lun.says("sg_persist -r @", "type: Write Exclusive$")
    lun.says("sg_persist --out --release --param-rk=0xabc --prout-type=1 @")
    lun.says("sg_persist -r @", "NO reservation held")
    lun.says("sg_persist --out --clear --param-rk=0xabc @")
    lun.says("sg_persist -k @", "NO registered")


@pytest.mark.systems("tsihd")
def test_sg_blocks(story, lun):
    """sg_write_same, sg_unmap, sg_compare_and_write, sg_verify, sg_xcopy, sg_sanitize: blocks."""
    lun.guest.succeed(PATTERN)
    story.step("WRITE SAME of 10 and of 16 bytes")
    lun.says("sg_write_same --10 --in=/run/pattern --lba=2048 --num=64 @")
    lun.says("sg_write_same --16 --in=/run/pattern --lba=4096 --num=64 @")
    lun.has(lba_2048="Z", lba_2111="Z", lba_2112="zeroes", lba_4096="Z")
    story.step("UNMAP, and what GET LBA STATUS says of it")
    lun.says("sg_get_lba_status --lba=4096 -b @", "^0x0*1000 .* 0  ")
    lun.says("sg_unmap --force --lba=4096 --num=64 @")
    lun.says("sg_get_lba_status --lba=4096 -b @", "^0x0*1000 .* 1  ")
    lun.has(lba_4096="zeroes", lba_2048="Z")
    story.step("COMPARE AND WRITE: once it fits, then no more")
    lun.guest.succeed("cat /run/pattern > /run/caw; head -c 512 /dev/zero >> /run/caw")
    lun.says("sg_compare_and_write --in=/run/caw --lba=2048 --num=1 @")
    lun.has(lba_2048="zeroes")
    lun.says("! sg_compare_and_write --in=/run/caw --lba=2048 --num=1 @", "Miscompare")
    story.step("VERIFY with the initiator's data")
    lun.says("sg_verify --lba=0 --count=128 @")
    lun.says("sg_verify --lba=2049 --count=1 --ndo=512 --ebytchk=1 --in=/run/pattern @")
    lun.says("! sg_verify --lba=2048 --count=1 --ndo=512 --ebytchk=1 --in=/run/pattern @", "(?i)miscompare")
    story.step("EXTENDED COPY inside the LUN: the target moves the blocks itself")
    lun.says("sg_copy_results --params @", "Maximum target descriptor count: [1-9]")
    # Without udev there is no /dev/block, by which sg_xcopy would find a disk: it gets the sg node.
    sg = "/dev/" + lun.guest.succeed(
        f"modprobe sg; ls /sys/class/block/{lun.device.rsplit('/', 1)[1]}/device/scsi_generic").strip()
    lun.says(f"sg_xcopy if={sg} skip=2049 of={sg} seek=8192 count=32 bs=512")
    lun.guest.succeed(f"blockdev --flushbufs {lun.device}")
    lun.has(lba_8192="Z", lba_8223="Z", lba_8224="zeroes")
    story.step("SANITIZE takes all of it")
    lun.says("sg_sanitize --block --quick --early @")
    lun.guest.wait_until(f"sg_turs {lun.device}")
    lun.has(lba_2049="zeroes")
    lun.says("sg_sync @")
