/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A VFIO driver that does not export refuses both to lend and to take back. The
 * kernel's virtio_vfio_pci is such a one and takes any function that it is told to.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "fixture.h"

#define OTHER_DRIVER "virtio_vfio_pci"

static char bdf[32], own_driver[64];

static void override(const char *driver)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", bdf);
	fd = must_sys(open(path, O_WRONLY | O_CLOEXEC));
	must_sys((int)write(fd, driver, strlen(driver)));
	close(fd);
}

static void change_driver(const char *from, const char *to)
{
	must(driver_unbind(from, bdf, &test_error));
	override(to);
	must(driver_bind(to, bdf, &test_error));
}

static void refused_by_a_driver_that_does_not_export(void **state)
{
	const struct vfio_range page = { 0, PAGE };
	struct fixture *fixture = *state;
	struct vfio_exporter *other;
	int lent, revoked;

	if (!getenv("EXPORTER2"))
		test_skip("EXPORTER2 names no second PCI function that is bound to vfio-pci");
	if (access("/sys/bus/pci/drivers/" OTHER_DRIVER, F_OK))
		test_skip("the kernel has no driver " OTHER_DRIVER);
	if (driver_may_unbind(&test_error))
		test_skip("%s", test_error.text);
	snprintf(bdf, sizeof(bdf), "%s", getenv("EXPORTER2"));
	must(driver_name(bdf, own_driver, sizeof(own_driver), &test_error));

	change_driver(own_driver, OTHER_DRIVER);
	must(vfio_exporter_open(&other, bdf, test_options.interface, &test_error));
	lent = vfio_exporter_export(other, 0, &page, 1, &test_error);
	revoked = vfio_exporter_revoke(other, fixture->dmabuf, &test_error);
	vfio_exporter_close(other);
	/* Before anything is checked: the function is wanted again. */
	change_driver(OTHER_DRIVER, own_driver);
	must_fail(lent, EOPNOTSUPP);
	must_fail(revoked, EOPNOTSUPP);
}

static const struct CMUnitTest tests[] = {
	test_with_exporter(refused_by_a_driver_that_does_not_export),
};

TEST_MAIN("a VFIO driver that does not export: neither lent nor revoked", TEST_NEEDS_EXPORTER, tests)
