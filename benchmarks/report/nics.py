# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Several NICs side by side: what each answers to being asked for a VFIO device's memory, and what
being asked to let go of it costs. Counts are the device models' own and name what the driver had to
ask the device for; microseconds of different models say nothing about each other."""

from tables import BACKGROUND, microseconds, size_text

SIZE = 65536
# How a request and its answer travel, not what was asked for.
TRANSPORT = BACKGROUND | {"mmio.writes", "interrupts", "dma.maps", "dma.unmaps", "doorbells", "wqes",
                          "cqes", "eqes", "ceqes", "bytes_read", "bytes_written"}
EVENTS = (("registration", {}), ("deregistration", {}),
          ("revoke", {"trigger": "pci_command", "mrs": 1}),
          ("revoke", {"trigger": "pci_command", "mrs": 16}),
          ("revoke", {"trigger": "revoke", "mrs": 1}),
          ("revoke", {"trigger": "revoke", "mrs": 16}))


def matches(entry, wanted):
    params = entry["params"]
    return (params.get("size") == SIZE and not params.get("in_flight")
            and not params.get("processes") and params.get("interface", "cdev") == "cdev"
            and all(params.get(key) == value for key, value in wanted.items()))


def device_of(data):
    devices = data["environment"].get("devices", [])
    return devices[0] if devices else None


def figure_text(data, name, wanted):
    for figure in data["figures"]:
        if figure["name"] == name and matches(figure, wanted):
            return f"{microseconds(figure['p50'])} us"
    return "-"


def count_text(data, event, wanted):
    entries = data["counters"].get(event, [])
    for entry in entries if isinstance(entries, list) else []:
        if matches(entry, wanted):
            work = {name: count for name, count in entry["counts"].items()
                    if name not in TRANSPORT and count}
            return ", ".join(f"{count:,} {name.replace('_', ' ')}"
                             for name, count in sorted(work.items())) or "nothing"
    return "-"


def event_text(event, wanted):
    text = {"registration": "register", "deregistration": "deregister"}.get(event, event)
    if wanted:
        text += f" by {wanted['trigger']}, {wanted['mrs']} MR{'s' if wanted['mrs'] > 1 else ''}"
    return f"{text} of {size_text(SIZE)}"


def sections(files):
    """Title, header and rows of each table; nothing for fewer than two devices."""
    known = [(device_of(data), data) for data in files if device_of(data)]
    if len(known) < 2:
        return []
    names = [f"{device['device']} ({device['driver']}, {device['level'] or 'not told'})"
             for device, _ in known]
    work = [["memory of a VFIO device"] + [device["vfio_memory"] for device, _ in known]]
    time = []
    for event, wanted in EVENTS:
        label = event_text(event, wanted)
        work.append([label] + [count_text(data, event, wanted) for _, data in known])
        time.append([label] + [figure_text(data, event, wanted) for _, data in known])
    return [("NICs side by side: what the driver asked its device for", ["event"] + names, work),
            ("NICs side by side: median time", ["event"] + names, time)]
