// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory on the device: who gets which pages of it, and what keys of it reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../memory_key.h"
#include "host.h"

#define PAGES (MLX5_DEVICE_MEMORY_BYTES / MLX5_PAGE_SIZE)

static int setup(void **state)
{
	*state = host_new(false);
	return 0;
}

static int teardown(void **state)
{
	host_free(*state);
	return 0;
}

/* Pages are asked for as the driver does: where they shall start, and how far they may lie. */
static u8 allocate(struct host *host, u64 page, u32 range_pages, u32 bytes, u64 *start)
{
	u8 in[IFC_BYTES(alloc_memic_in)] = {}, out[IFC_BYTES(alloc_memic_out)];
	u8 status;

	IFC_SET(alloc_memic_in, in, opcode, 0x205);
	IFC_SET(alloc_memic_in, in, range_size, range_pages * MLX5_PAGE_SIZE);
	IFC_SET(alloc_memic_in, in, memic_size, bytes);
	IFC_SET64(alloc_memic_in, in, range_start_addr,
		  MLX5_DEVICE_MEMORY + page * MLX5_PAGE_SIZE);
	status = host_command(host, in, sizeof(in), out, sizeof(out));
	if (start)
		*start = IFC_GET64(alloc_memic_out, out, memic_start_addr);
	return status;
}

static u8 release(struct host *host, u64 start, u32 bytes)
{
	u8 in[IFC_BYTES(dealloc_memic_in)] = {}, out[16];

	IFC_SET(dealloc_memic_in, in, opcode, 0x206);
	IFC_SET(dealloc_memic_in, in, memic_size, bytes);
	IFC_SET64(dealloc_memic_in, in, memic_start_addr, start);
	return host_command(host, in, sizeof(in), out, sizeof(out));
}

static u8 new_key(struct host *host, u64 start, u64 bytes, u32 *key)
{
	u8 in[IFC_BYTES(create_mkey_in)] = {}, out[IFC_BYTES(create_mkey_out)];
	void *context = IFC_PTR(create_mkey_in, in, memory_key_mkey_entry);
	u8 status;

	IFC_SET(create_mkey_in, in, opcode, 0x200);
	IFC_SET(mkc, context, access_mode_1_0, MKEY_DEVICE_MEMORY & 3);
	IFC_SET(mkc, context, access_mode_4_2, MKEY_DEVICE_MEMORY >> 2);
	host_grant_all(context);
	IFC_SET(mkc, context, qpn, MKEY_ANY_QPN);
	IFC_SET(mkc, context, pd, host->pd);
	IFC_SET64(mkc, context, start_addr, start);
	IFC_SET64(mkc, context, len, bytes);
	status = host_command(host, in, sizeof(in), out, sizeof(out));
	*key = IFC_GET(create_mkey_out, out, mkey_index) << 8;
	return status;
}

static struct access access_of(struct host *host, u32 key, enum access_kind kind, u64 va,
			       u64 length)
{
	return (struct access){
		.key = key, .va = va, .length = length, .kind = kind, .pd = host->pd};
}

static enum access_result reach(struct host *host, u32 key, enum access_kind kind, u64 va,
				u64 length, void *buffer)
{
	struct access access = access_of(host, key, kind, va, length);

	return memory_key_access(host->dev, &access, buffer, NULL);
}

static u8 *bar(struct host *host)
{
	return pci_device_bar_memory(host->dev->pci, 0);
}

static void test_pages_belong_to_one(void **state)
{
	struct host *host = *state;
	u64 start, other;

	assert_int_equal(allocate(host, 3, 1, 100, &start), COMMAND_OK);
	assert_int_equal(start, MLX5_DEVICE_MEMORY + 3 * MLX5_PAGE_SIZE);
	assert_int_equal(allocate(host, 3, 1, 100, NULL), COMMAND_NO_RESOURCES);
	assert_int_equal(allocate(host, 3, 2, 100, &other), COMMAND_OK);
	assert_int_equal(other, start + MLX5_PAGE_SIZE);
	assert_int_equal(release(host, start, 64), COMMAND_BAD_PARAM);
	assert_int_equal(release(host, start + 64, 100), COMMAND_BAD_PARAM);
	assert_int_equal(release(host, start, 100), COMMAND_OK);
	assert_int_equal(release(host, start, 100), COMMAND_BAD_PARAM);
	assert_int_equal(allocate(host, 3, 1, MLX5_PAGE_SIZE, NULL), COMMAND_OK);
}

static void test_impossible_requests(void **state)
{
	struct host *host = *state;

	assert_int_equal(allocate(host, 0, 1, 0, NULL), COMMAND_BAD_PARAM);
	assert_int_equal(allocate(host, 0, 1, MLX5_PAGE_SIZE + 64, NULL), COMMAND_BAD_PARAM);
	assert_int_equal(allocate(host, 0, PAGES + 1, 64, NULL), COMMAND_BAD_PARAM);
	assert_int_equal(allocate(host, PAGES, 1, 64, NULL), COMMAND_NO_RESOURCES);
	assert_int_equal(allocate(host, PAGES - 1, 2, 2 * MLX5_PAGE_SIZE, NULL),
			 COMMAND_NO_RESOURCES);
	assert_int_equal(allocate(host, (u64)-1, 1, 64, NULL), COMMAND_NO_RESOURCES);
	assert_int_equal(allocate(host, 0, PAGES, MLX5_DEVICE_MEMORY_BYTES, NULL), COMMAND_OK);
	assert_int_equal(allocate(host, 0, PAGES, 64, NULL), COMMAND_NO_RESOURCES);
}

static void test_key_reaches_the_bar(void **state)
{
	struct host *host = *state;
	u8 buffer[256];
	u64 start;
	u32 key;

	assert_int_equal(allocate(host, 1, 1, 200, &start), COMMAND_OK);
	assert_int_equal(new_key(host, start, 200, &key), COMMAND_OK);
	memset(buffer, 0xa5, sizeof(buffer));
	assert_int_equal(reach(host, key, ACCESS_REMOTE_WRITE, 8, 16, buffer), ACCESS_OK);
	assert_int_equal(bar(host)[start + 7], 0);
	assert_int_equal(bar(host)[start + 8], 0xa5);
	assert_int_equal(bar(host)[start + 23], 0xa5);
	assert_int_equal(bar(host)[start + 24], 0);
	bar(host)[start + 199] = 0x5a;
	assert_int_equal(reach(host, key, ACCESS_LOCAL_READ, 192, 8, buffer), ACCESS_OK);
	assert_int_equal(buffer[7], 0x5a);
	assert_int_equal(reach(host, key, ACCESS_LOCAL_READ, 192, 9, buffer), ACCESS_DENIED);
	assert_int_equal(reach(host, key, ACCESS_LOCAL_READ, (u64)-8, 16, buffer), ACCESS_DENIED);
}

static void test_atomics(void **state)
{
	struct host *host = *state;
	struct access access;
	u64 start, old;
	u32 key;

	assert_int_equal(allocate(host, 0, 1, 64, &start), COMMAND_OK);
	assert_int_equal(new_key(host, start, 64, &key), COMMAND_OK);
	access = access_of(host, key, ACCESS_REMOTE_ATOMIC, 8, sizeof(u64));
	assert_int_equal(memory_key_atomic(host->dev, &access, ATOMIC_FETCH_ADD, 5, 0, &old, NULL),
			 ACCESS_OK);
	assert_int_equal(old, 0);
	assert_int_equal(bar(host)[start + 8], 5);
	access.va = 12;
	assert_int_equal(memory_key_atomic(host->dev, &access, ATOMIC_FETCH_ADD, 5, 0, &old, NULL),
			 ACCESS_DENIED);
}

static void test_keys_of_what_is_not_there(void **state)
{
	struct host *host = *state;
	u8 buffer[8] = {};
	u64 start;
	u32 key;

	assert_int_equal(allocate(host, 0, 1, 128, &start), COMMAND_OK);
	assert_int_equal(new_key(host, start, 129, &key), COMMAND_BAD_PARAM);
	assert_int_equal(new_key(host, start + MLX5_PAGE_SIZE, 8, &key), COMMAND_BAD_PARAM);
	assert_int_equal(new_key(host, 0, 8, &key), COMMAND_BAD_PARAM);
	assert_int_equal(new_key(host, MLX5_BAR_SIZE, 8, &key), COMMAND_BAD_PARAM);
	assert_int_equal(new_key(host, (u64)-8, 8, &key), COMMAND_BAD_PARAM);
	assert_int_equal(new_key(host, start, 128, &key), COMMAND_OK);
	assert_int_equal(release(host, start, 128), COMMAND_OK);
	assert_int_equal(reach(host, key, ACCESS_LOCAL_WRITE, 0, 8, buffer), ACCESS_DENIED);
}

static void test_reset_leaves_nothing(void **state)
{
	struct host *host = *state;
	u64 start;

	assert_int_equal(allocate(host, 0, 1, 128, &start), COMMAND_OK);
	bar(host)[start] = 1;
	mlx5_device_teardown(host->dev);
	assert_int_equal(bar(host)[start], 0);
	assert_int_equal(device_memory_allocations(host->dev->memory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pages_belong_to_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_impossible_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_reaches_the_bar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_atomics, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_of_what_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_leaves_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
