# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Builds of what the patches of a base touch, in every configuration that they have to hold in."""
import os
import re

import layout
from steps import Failed

CONFIGURATIONS = ("all", "no-p2pdma", "no-dma-buf", "no-user-mem")
# What each has beyond "all", and what makes it what its name says: an option alone is not set.
LESS = {
    "all": (),
    "no-p2pdma": ("PCI_P2PDMA",),
    "no-dma-buf": ("DRM", "DMABUF_KUNIT_TEST", "DMABUF_HEAPS", "INFINIBAND", "IOMMUFD_TEST", "SYNC_FILE", "SW_SYNC",
                   "UDMABUF"),
    "no-user-mem": ("INFINIBAND_USER_ACCESS",),
}
WANTED = {
    "no-p2pdma": ("PCI_P2PDMA=", "VFIO_PCI_DMABUF=", "INFINIBAND_USER_MEM=y"),
    "no-dma-buf": ("DMA_SHARED_BUFFER=", "IOMMUFD=y", "VFIO_PCI_CORE=[ym]"),
    "no-user-mem": ("INFINIBAND_USER_MEM=", "MLX5_INFINIBAND=[ym]"),
}


class Tables:
    """A base's check/: which option builds what a patch may touch, with what includes a header that one does."""

    def __init__(self, base):
        self.folder = base.folder / "check"
        self.objects = self.pairs("objects")
        self.included = self.pairs("included")
        own = base.folder / "config"
        self.fragment = "".join(path.read_text(encoding="utf-8") for path in (
            layout.KERNEL / "config/base.config", own, self.folder / "config") if path.is_file())

    def pairs(self, name):
        path = self.folder / name
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return dict(line.split()[:2] for line in lines if line.strip() and not line.startswith("#"))

    def object_of(self, file):
        return self.included.get(file, file.removesuffix(".c") + ".o")

    def touched(self, patches):
        """The objects of the sources that patches touch; those of tools/ are built with the tests."""
        return sorted({self.object_of(file) for patch in patches for file in patch.files()
                       if file.endswith(".c") and not file.startswith("tools/")})

    def unlisted(self, patch):
        return [one for one in self.touched([patch]) if one not in self.objects]

    def wanted(self, configuration):
        if configuration == "all":
            return sorted({f"{option}=[ym]" for option in self.objects.values()})
        return WANTED[configuration]

    def fragment_of(self, configuration):
        return self.fragment + "".join(f"# CONFIG_{option} is not set\n" for option in LESS[configuration])


class Build:
    """One configuration's folder of objects."""

    def __init__(self, steps, tables, tree, work, configuration, jobs):
        self.steps, self.tables, self.tree, self.jobs = steps, tables, tree, jobs
        self.configuration = configuration
        self.out = work / f"out-{configuration}"

    def make(self, *words):
        self.steps.command("make", "-s", "-C", self.tree, f"O={self.out}", "-j", self.jobs, *words)

    def config(self):
        return (self.out / ".config").read_text(encoding="utf-8")

    def configure(self, strict=True):
        """The options again: a patch may have brought one. A file that does not change keeps its time."""
        self.out.mkdir(parents=True, exist_ok=True)
        fragment, kept = self.tables.fragment_of(self.configuration), self.out / "fragment"
        config = self.out / ".config"
        if not config.is_file() or not kept.is_file() or kept.read_text(encoding="utf-8") != fragment:
            self.make("tinyconfig")
            kept.write_text(fragment, encoding="utf-8")
        before = self.config()
        time = config.stat().st_mtime_ns
        config.write_text(before + fragment, encoding="utf-8")
        self.make("olddefconfig")
        if self.config() == before:
            os.utime(config, ns=(time, time))
        if strict:
            self.verify(self.tables.wanted(self.configuration))

    def verify(self, wanted):
        config = self.config()
        for one in wanted:
            option, _, value = one.partition("=")
            if value and not re.search(rf"^CONFIG_{option}={value}$", config, re.MULTILINE):
                raise Failed(f"CONFIG_{option} is not set")
            if not value and re.search(rf"^CONFIG_{option}=", config, re.MULTILINE):
                raise Failed(f"CONFIG_{option} is set")

    def built_in(self):
        """The objects of the list that this configuration has and that exist at this step."""
        enabled = set(re.findall(r"^CONFIG_(\w+)=[ym]$", self.config(), re.MULTILINE))
        return [one for one, option in self.tables.objects.items()
                if option in enabled and (self.tree / (one.removesuffix(".o") + ".c")).exists()]

    def build(self, *options, objects=None):
        wanted = self.built_in() if objects is None else objects
        if not wanted:
            raise Failed(f"there is nothing to build in {self.configuration}")
        self.make("KCFLAGS=-Werror", *options, *wanted)

    def build_touched(self, patches):
        """What the patches touch and nothing else; every object of it must be there to be built."""
        touched = [one for one in self.tables.touched(patches)
                   if (self.tree / (one.removesuffix(".o") + ".c")).exists()]
        self.configure(strict=False)
        self.verify(sorted({f"{self.tables.objects[one]}=[ym]" for one in touched if one in self.tables.objects}))
        if touched:
            self.build(objects=touched)
