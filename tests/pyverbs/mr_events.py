#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What a verbs user is told of a revoke, by the kind of kernel and device, as TAP.

usage: mr_events.py told       the MR that a revoke reached, and no other; once
       mr_events.py silent     nothing: the device's driver gets no memory that can be revoked
       mr_events.py refused    the kernel has no MR event channels; programs that ask for none notice nothing

Environment: EXPORTER (PCI function bound to vfio-pci), IB_DEV (default: the first device).
"""
import errno
import os
import select
import subprocess
import sys

SIZE = 16384
SLOWNESS = int(os.environ.get("SLOWNESS", "1"))  # how many times slower than the lab's reference this machine is
SECONDS = 20 * SLOWNESS
MODES = ("told", "silent", "refused")


def skip_all(reason):
    """On metal something may be missing; the lab lacks nothing."""
    if os.environ.get("LAB_KERNEL"):
        print(f"Bail out! {reason}")
        return 1
    print(f"1..0 # SKIP {reason}")
    return 4


try:
    from pyverbs.device import Context, get_device_list
    from pyverbs.dmabuf import HeapDmaBuf
    from pyverbs.libibverbs_enums import ibv_access_flags
    from pyverbs.mr import DmaBufMR, MrEventChannel
    from pyverbs.pd import PD
    from pyverbs.pyverbs_error import PyverbsRDMAError
    from pyverbs.vfio import VfioDevice
except ImportError as error:
    sys.exit(skip_all(f"pyverbs with the patches is not there: {error}"))


class Failure(Exception):
    """Its text says what was expected and what happened."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def errno_of(call, *arguments):
    """0, or what the call fails with."""
    try:
        call(*arguments)
    except PyverbsRDMAError as ex:
        return ex.error_code
    return 0


def is_readable(channel):
    return bool(select.select([channel.fd], [], [], 0)[0])


def register(domain, dmabuf):
    return DmaBufMR(domain, SIZE, ibv_access_flags.IBV_ACCESS_LOCAL_WRITE, dmabuf=dmabuf)


def name_of(thing):
    return (thing.handle, thing.lkey)


class Events:
    """A context with a device that lends, and the cases."""

    def __init__(self, device, exporter):
        self.device = device
        self.context = Context(name=device)
        self.domain = PD(self.context)
        self.owner = VfioDevice(exporter)

    def lend(self):
        dmabuf = self.owner.export(2, SIZE)
        return dmabuf, register(self.domain, dmabuf)

    def told_once(self):
        channel = MrEventChannel(self.context)
        dmabuf, region = self.lend()
        _, other = self.lend()
        expect(not is_readable(channel), "there is something to read before the revoke")
        dmabuf.revoke()
        expect(is_readable(channel), "the revoke of a registered dma-buf is not told")
        event = channel.get_event()
        expect(name_of(event) == name_of(region),
               f"told of {name_of(event)}; revoked was {name_of(region)}, not {name_of(other)}")
        expect(not is_readable(channel), "there is more to read than one revoke")

    def told_to_who_comes_late(self):
        dmabuf, region = self.lend()
        dmabuf.revoke()
        channel = MrEventChannel(self.context)
        told = []
        while is_readable(channel):
            told.append(name_of(channel.get_event()))
        expect(name_of(region) in told, f"a channel that was opened after the revoke tells of {told} only")

    def opens(self):
        MrEventChannel(self.context)

    def nothing_to_tell(self):
        channel = MrEventChannel(self.context)
        dmabuf = self.owner.export(2, SIZE)
        status = errno_of(register, self.domain, dmabuf)
        expect(status == errno.EOPNOTSUPP, f"registration of lent memory: errno {status}, not EOPNOTSUPP")
        memory = HeapDmaBuf(SIZE)
        region = register(self.domain, memory)
        dmabuf.revoke()
        self.owner.memory = False
        self.owner.memory = True
        expect(not is_readable(channel), "something is told of an MR whose memory stays")
        region.close()
        expect(not is_readable(channel), "something is told of an MR that was deregistered")

    def no_channel(self):
        status = errno_of(MrEventChannel, self.context)
        expect(status == errno.EOPNOTSUPP, f"opening a channel: errno {status}, not EOPNOTSUPP")

    def memory_is_lent_and_revoked(self):
        """What the kernel without channels has serves as ever."""
        _, region = self.lend()
        self.owner.memory = False
        self.owner.memory = True
        region.close()

    def asyncwatch_watches(self):
        """Of asynchronous events alone, and stays."""
        program = ["stdbuf", "-oL", "ibv_asyncwatch", "-d", self.device]
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as watch:
            try:
                said, wait = b"", SECONDS
                while select.select([watch.stdout], [], [], wait)[0]:
                    more = os.read(watch.stdout.fileno(), 4096)
                    expect(more, f"it ended after {said}")
                    said, wait = said + more, SLOWNESS
                expect(b"async event FD" in said and b"MR event" not in said, f"it says {said}")
            finally:
                watch.kill()

    def cases(self, mode):
        return {"told": (self.told_once, self.told_to_who_comes_late),
                "silent": (self.opens, self.nothing_to_tell),
                "refused": (self.no_channel, self.memory_is_lent_and_revoked, self.asyncwatch_watches)}[mode]


def main(argv):
    if len(argv) != 1 or argv[0] not in MODES:
        print(__doc__, file=sys.stderr)
        return 2
    names = [os.environ["IB_DEV"]] if os.environ.get("IB_DEV") else [d.name.decode() for d in get_device_list()]
    if not names or not os.environ.get("EXPORTER"):
        return skip_all("there is no RDMA device, or no PCI function is bound to vfio-pci (EXPORTER=BDF)")
    cases = Events(names[0], os.environ["EXPORTER"]).cases(argv[0])
    failed = 0
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        try:
            case()
        except (Failure, PyverbsRDMAError) as ex:
            print(f"# {ex}")
            print(f"not ok {number} - {case.__name__}")
            failed = 1
        else:
            print(f"ok {number} - {case.__name__}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
