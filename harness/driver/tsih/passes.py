"""fio that writes until it is told to stop, and then has verified every block that it wrote.

What befalls a guest in the middle of writes must find it writing, however long that takes: a fio of a
fixed size ends when it likes, and on a slow machine before the thing that it was to accompany.
"""

from __future__ import annotations

import itertools

from tsih.guest import Background, Guest, Result

RUN = itertools.count(1)
# Passes go round over regions of the device. Each is read back before the next one takes its region,
# and the last ones at the end: no block goes unread, and the device's size is no limit.
SCRIPT = """
device=$1 writing=$2 regions=$3 mib=$4; shift 4
pass_of() {
    number=$1; shift
    fio --name=passes --filename=$device --offset=$(( number % regions * mib ))m --size=${mib}m \\
        --randseed=$(( number + 1 )) --rw=randwrite --ioengine=libaio --direct=1 --verify=crc32c \\
        --verify_fatal=1 --norandommap=0 --minimal "$@" || exit 1
}
next=0
while [ -e $writing ]; do
    [ $next -lt $regions ] || pass_of $(( next - regions )) "$@" --verify_only
    pass_of $next "$@" --do_verify=0
    next=$(( next + 1 ))
done
number=$(( next > regions ? next - regions : 0 ))
while [ $number -lt $next ]; do
    pass_of $number "$@" --verify_only
    number=$(( number + 1 ))
done
echo verified $next
"""


class Passes:
    """fio on a device of a guest. Begun at once; it has written something when the constructor returns.

    Args:
        regions, mib: as many regions, of so many MiB, from the device's beginning.
        options: fio's, for what differs (block sizes, depth).
    """

    def __init__(self, guest: Guest, device: str, *, regions: int, mib: int, options: str):
        self._guest = guest
        self._writing = f"/run/passes-{next(RUN)}"
        self._written = f"$(awk '{{print $5}}' /sys/class/block/$(basename $(readlink -f {device}))/stat)"
        guest.write_file("/run/passes.sh", SCRIPT)
        guest.succeed(f"touch {self._writing}")
        begin = self.writes()
        self._fio: Background = guest.background(
            f"sh /run/passes.sh {device} {self._writing} {regions} {mib} {options}")
        self.wait_writes(begin + 20)

    def writes(self) -> int:
        """Writes that the device has completed since its driver found it."""
        return int(self._guest.succeed(f"echo {self._written}"))

    def wait_writes(self, count: int) -> None:
        """Until there are so many."""
        self._guest.wait_until(f"[ {self._written} -ge {count} ]")

    def go_on(self, count: int = 1) -> int:
        """Waits for so many more than now; returns how many there were."""
        had = self.writes()
        self.wait_writes(had + count)
        return had

    def stop(self) -> Result:
        """It ends its pass and reads back what it has not read yet; `ok` when every block was right."""
        self._guest.succeed(f"rm {self._writing}")
        return self._fio.wait()
