/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What can be told without a device: addresses, and a function that is not there. */
#include <errno.h>
#include <string.h>

#include "test.h"
#include "vfio_exporter.h"

static void addresses_that_are_none(void **state)
{
	static const char *const texts[] = {
		"", "02", "02:00", "02:00.8", "0000:02:20.0", "10000000:00:00.0", "0000:100:00.0",
		"0000:02:00.0x", "mlx5_0",
	};
	struct vfio_exporter *exporter;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct error err = { 0 };

		assert_int_equal(vfio_exporter_open(&exporter, texts[i], VFIO_INTERFACE_CDEV, &err),
				 -EINVAL);
		assert_null(exporter);
		assert_false(err.missing);
		assert_non_null(strstr(err.text, "PCI address"));
	}
}

static void function_that_is_not_there(void **state)
{
	static const char *const texts[] = { "fffe:fe:1f.7", "fffe:fe:1f.7" };
	static const enum vfio_interface interfaces[] = {
		VFIO_INTERFACE_CDEV, VFIO_INTERFACE_GROUP,
	};
	struct vfio_exporter *exporter;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct error err = { 0 };

		assert_int_equal(vfio_exporter_open(&exporter, texts[i], interfaces[i], &err), -ENODEV);
		assert_null(exporter);
		assert_true(err.missing);
		assert_non_null(strstr(err.text, "fffe:fe:1f.7"));
	}
}

static void close_takes_null(void **state)
{
	(void)state;
	vfio_exporter_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_are_none),
		cmocka_unit_test(function_that_is_not_there),
		cmocka_unit_test(close_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
