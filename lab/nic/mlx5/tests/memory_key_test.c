/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Memory keys: who may reach what through which kind of key, and what UMR makes of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../memory_key.h"
#include "host.h"

#define PAGES 8u
#define BYTES (PAGES * MLX5_PAGE_SIZE)
#define QPN 0x77u
#define UMR_BYTES 192u

enum { UMR_CHECK_QPN = 0x8, UMR_OFFSET = 0x10, UMR_MUST_BE_FREE = 0x20, UMR_MUST_NOT_BE_FREE = 0x40,
       UMR_INLINE = 0x80 };
enum { MASK_LENGTH = 1 << 0, MASK_PAGE_SIZE = 1 << 1, MASK_START = 1 << 6, MASK_PD = 1 << 7,
       MASK_KEY = 1 << 13, MASK_QPN = 1 << 14, MASK_RIGHTS = 0x1f << 17, MASK_FREE = 1 << 29 };

struct fixture {
	struct host *host;
	u8 *memory;
	u32 key;
};

static int setup(void **state)
{
	struct fixture *fixture = g_new0(struct fixture, 1);

	fixture->host = host_new(false);
	fixture->memory = host_alloc(fixture->host, BYTES);
	fixture->key =
		host_new_mkey(fixture->host, fixture->host->pd, fixture->memory, BYTES, true);
	*state = fixture;
	return 0;
}

static u64 va(const struct fixture *fixture, u64 offset)
{
	return host_iova(fixture->host, fixture->memory) + offset;
}

static enum access_result reach(struct fixture *fixture, u32 key, enum access_kind kind, u64 at,
				u64 length, u32 pd, struct access_fault *fault)
{
	struct access access = {
		.key = key, .va = at, .length = length, .kind = kind, .pd = pd, .qpn = QPN};
	static u8 buffer[QP_SLICE_BYTES];

	memset(buffer, 0xa5, sizeof(buffer));
	return memory_key_access(fixture->host->dev, &access, buffer, fault);
}

static enum access_result simple(struct fixture *fixture, u32 key, enum access_kind kind, u64 at)
{
	return reach(fixture, key, kind, at, 16, fixture->host->pd, NULL);
}

struct umr {
	u8 wqe[UMR_BYTES];
	void *context;
};

static void umr_begin(struct umr *umr, u32 key, u8 flags, u32 mask, u32 octowords, u32 offset)
{
	memset(umr, 0, sizeof(*umr));
	umr->context = umr->wqe + 64;
	ifc_set32(umr->wqe, 96, 32, key);
	umr->wqe[16] = flags;
	ifc_set32(umr->wqe, 160, 16, octowords);
	ifc_set32(umr->wqe, 176, 16, offset);
	ifc_set64(umr->wqe, 192, mask);
	IFC_SET(mkc, umr->context, qpn, MKEY_ANY_QPN);
}

static u8 umr_run(struct fixture *fixture, const struct umr *umr, bool privileged)
{
	return umr_execute(fixture->host->dev, umr->wqe, sizeof(umr->wqe), fixture->host->pd, QPN,
			   privileged);
}

static void umr_rights(struct umr *umr, bool local_write, bool remote)
{
	IFC_SET(mkc, umr->context, lr, 1);
	IFC_SET(mkc, umr->context, lw, local_write);
	IFC_SET(mkc, umr->context, rr, remote);
	IFC_SET(mkc, umr->context, rw, remote);
}

/* Binds a window of length bytes at offset of the region, as the provider does. */
static u8 bind(struct fixture *fixture, u32 window, u8 variant, u64 offset, u64 length, u32 qpn)
{
	struct umr umr;
	u8 *klm = umr.wqe + 128;

	umr_begin(&umr, window,
		  UMR_OFFSET | UMR_INLINE | (qpn != MKEY_ANY_QPN ? UMR_MUST_BE_FREE : 0),
		  MASK_LENGTH | MASK_START | MASK_KEY | MASK_FREE | MASK_RIGHTS | MASK_QPN, 4, 0);
	umr_rights(&umr, false, true);
	IFC_SET(mkc, umr.context, mkey_7_0, variant);
	IFC_SET(mkc, umr.context, qpn, qpn);
	IFC_SET64(mkc, umr.context, start_addr, va(fixture, offset));
	IFC_SET64(mkc, umr.context, len, length);
	ifc_set32(klm, 0, 32, length);
	ifc_set32(klm, 32, 32, fixture->key);
	ifc_set64(klm, 64, va(fixture, offset));
	return umr_run(fixture, &umr, false);
}

static void test_rights_and_bounds(void **state)
{
	struct fixture *fixture = *state;
	u32 key = fixture->key, pd = fixture->host->pd, other = host_new_pd(fixture->host);

	assert_int_equal(simple(fixture, key, ACCESS_REMOTE_WRITE, va(fixture, 0)), ACCESS_OK);
	assert_int_equal(fixture->memory[15], 0xa5);
	assert_int_equal(fixture->memory[16], 0);
	assert_int_equal(simple(fixture, key ^ 1, ACCESS_LOCAL_READ, va(fixture, 0)),
			 ACCESS_DENIED);
	assert_int_equal(simple(fixture, 0xffffff00, ACCESS_LOCAL_READ, va(fixture, 0)),
			 ACCESS_DENIED);
	assert_int_equal(simple(fixture, key, ACCESS_LOCAL_READ, va(fixture, 0) - 1),
			 ACCESS_DENIED);
	assert_int_equal(simple(fixture, key, ACCESS_LOCAL_READ, va(fixture, BYTES - 16)),
			 ACCESS_OK);
	assert_int_equal(simple(fixture, key, ACCESS_LOCAL_READ, va(fixture, BYTES - 15)),
			 ACCESS_DENIED);
	assert_int_equal(simple(fixture, key, ACCESS_LOCAL_READ, ~0ull - 7), ACCESS_DENIED);
	assert_int_equal(reach(fixture, key, ACCESS_LOCAL_READ, va(fixture, 0), 16, other, NULL),
			 ACCESS_DENIED);
	assert_int_equal(reach(fixture, key, ACCESS_LOCAL_READ, va(fixture, 100), BYTES - 100, pd,
			       NULL),
			 ACCESS_OK);
	assert_int_equal(host_destroy_mkey(fixture->host, key), COMMAND_OK);
	assert_int_equal(simple(fixture, key, ACCESS_LOCAL_READ, va(fixture, 0)), ACCESS_DENIED);
	assert_int_equal(host_destroy_mkey(fixture->host, key), COMMAND_BAD_RESOURCE);
}

/* A freed number must not name another region soon. */
static void test_numbers_rotate(void **state)
{
	struct fixture *fixture = *state;
	u32 key = fixture->key;

	for (int i = 0; i < 100; i++) {
		u32 next;

		host_destroy_mkey(fixture->host, key);
		next = host_new_free_mkey(fixture->host, MKEY_MTT, fixture->host->pd, 4);
		assert_true(next > key);
		key = next;
	}
}

static void test_missing_page(void **state)
{
	struct fixture *fixture = *state;
	struct access_fault fault = {};
	struct umr umr;

	umr_begin(&umr, fixture->key, UMR_OFFSET | UMR_INLINE | UMR_MUST_NOT_BE_FREE, 0, 4, 0);
	for (u32 i = 0; i < PAGES; i++)
		ifc_set64(umr.wqe + 128, i * 64,
			  i == 2 ? 0 : va(fixture, i * MLX5_PAGE_SIZE) | MTT_READ);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	assert_int_equal(reach(fixture, fixture->key, ACCESS_LOCAL_READ,
			       va(fixture, MLX5_PAGE_SIZE + 8), 2 * MLX5_PAGE_SIZE,
			       fixture->host->pd, &fault),
			 ACCESS_NOT_PRESENT);
	assert_int_equal(fault.mkey, fixture->key);
	assert_int_equal(fault.va, va(fixture, 2 * MLX5_PAGE_SIZE));
	assert_int_equal(fault.length, MLX5_PAGE_SIZE + 8);
	assert_false(fault.write);
	assert_true(memory_key_still_missing(fixture->host->dev, &fault));
	/* Present for reading is missing for writing, and nothing moves. */
	assert_int_equal(reach(fixture, fixture->key, ACCESS_REMOTE_WRITE, va(fixture, 0), 64,
			       fixture->host->pd, &fault),
			 ACCESS_NOT_PRESENT);
	assert_true(fault.write);
	assert_int_equal(fixture->memory[0], 0);
	umr_begin(&umr, fixture->key, UMR_OFFSET | UMR_INLINE, 0, 1, 1);
	ifc_set64(umr.wqe + 128, 0, va(fixture, 2 * MLX5_PAGE_SIZE) | MTT_READ | MTT_WRITE);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	assert_int_equal(simple(fixture, fixture->key, ACCESS_LOCAL_WRITE,
				va(fixture, 2 * MLX5_PAGE_SIZE)),
			 ACCESS_OK);
}

static void test_window(void **state)
{
	struct fixture *fixture = *state;
	u32 window = host_new_free_mkey(fixture->host, MKEY_KLM, fixture->host->pd, 4);

	assert_int_equal(simple(fixture, window, ACCESS_REMOTE_READ, va(fixture, 64)),
			 ACCESS_DENIED);
	assert_int_equal(bind(fixture, window, 7, 64, 128, MKEY_ANY_QPN), SYNDROME_NONE);
	assert_int_equal(simple(fixture, window, ACCESS_REMOTE_READ, va(fixture, 64)),
			 ACCESS_DENIED); /* the key has another low byte now */
	assert_int_equal(simple(fixture, window | 7, ACCESS_REMOTE_WRITE, va(fixture, 64)),
			 ACCESS_OK);
	assert_int_equal(fixture->memory[64], 0xa5);
	assert_int_equal(simple(fixture, window | 7, ACCESS_REMOTE_READ, va(fixture, 63)),
			 ACCESS_DENIED);
	assert_int_equal(simple(fixture, window | 7, ACCESS_REMOTE_ATOMIC, va(fixture, 64)),
			 ACCESS_DENIED);
	/* The region goes: so does what the window shows. */
	host_destroy_mkey(fixture->host, fixture->key);
	assert_int_equal(simple(fixture, window | 7, ACCESS_REMOTE_READ, va(fixture, 64)),
			 ACCESS_DENIED);
}

static void test_window_of_one_qp(void **state)
{
	struct fixture *fixture = *state;
	u32 window = host_new_free_mkey(fixture->host, MKEY_KLM, fixture->host->pd, 4);
	struct umr umr;

	assert_int_equal(bind(fixture, window, 1, 0, 64, QPN + 1), SYNDROME_NONE);
	assert_int_equal(simple(fixture, window | 1, ACCESS_REMOTE_READ, va(fixture, 0)),
			 ACCESS_DENIED);
	assert_int_equal(bind(fixture, window, 2, 0, 64, QPN), SYNDROME_MW_BIND); /* not free */
	assert_false(memory_key_invalidate(fixture->host->dev, window | 1, fixture->host->pd, QPN));
	assert_true(
		memory_key_invalidate(fixture->host->dev, window | 1, fixture->host->pd, QPN + 1));
	assert_int_equal(bind(fixture, window, 2, 0, 64, QPN), SYNDROME_NONE);
	assert_int_equal(simple(fixture, window | 2, ACCESS_REMOTE_READ, va(fixture, 0)),
			 ACCESS_OK);
	/* Local invalidate: by the right key only. */
	umr_begin(&umr, window | 1, UMR_OFFSET | UMR_INLINE | UMR_CHECK_QPN,
		  MASK_FREE | MASK_KEY | MASK_QPN, 0, 0);
	IFC_SET(mkc, umr.context, free, 1);
	assert_int_equal(umr_run(fixture, &umr, false), SYNDROME_MW_BIND);
	ifc_set32(umr.wqe, 96, 32, window | 2);
	assert_int_equal(umr_run(fixture, &umr, false), SYNDROME_NONE);
	assert_int_equal(simple(fixture, window | 2, ACCESS_REMOTE_READ, va(fixture, 0)),
			 ACCESS_DENIED);
}

/* An implicit region: a list of equally large parts, some of them holes. */
static void test_list_of_parts(void **state)
{
	struct fixture *fixture = *state;
	u32 list = host_new_free_mkey(fixture->host, MKEY_KSM, fixture->host->pd, 4);
	u32 hole = host_new_mkey(fixture->host, fixture->host->pd, fixture->memory, BYTES, false);
	struct access_fault fault = {};
	struct umr umr;

	umr_begin(&umr, list, UMR_OFFSET | UMR_INLINE | UMR_MUST_BE_FREE,
		  MASK_LENGTH | MASK_PAGE_SIZE | MASK_START | MASK_RIGHTS | MASK_FREE, 4, 0);
	umr_rights(&umr, true, true);
	IFC_SET64(mkc, umr.context, len, 3 * MLX5_PAGE_SIZE);
	IFC_SET(mkc, umr.context, log_page_size, MLX5_PAGE_SHIFT);
	ifc_set32(umr.wqe + 128, 32, 32, fixture->key);
	ifc_set64(umr.wqe + 128, 64, va(fixture, MLX5_PAGE_SIZE));
	ifc_set32(umr.wqe + 144, 32, 32, hole);
	ifc_set64(umr.wqe + 144, 64, va(fixture, 2 * MLX5_PAGE_SIZE));
	ifc_set32(umr.wqe + 160, 32, 32, 0x700);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	assert_int_equal(simple(fixture, list, ACCESS_REMOTE_WRITE, 32), ACCESS_OK);
	assert_int_equal(fixture->memory[MLX5_PAGE_SIZE + 32], 0xa5);
	assert_int_equal(reach(fixture, list, ACCESS_REMOTE_WRITE, MLX5_PAGE_SIZE - 8, 64,
			       fixture->host->pd, &fault),
			 ACCESS_NOT_PRESENT);
	assert_int_equal(fault.mkey, hole);
	assert_int_equal(fault.va, va(fixture, 2 * MLX5_PAGE_SIZE));
	assert_int_equal(fault.origin.key, list);
	assert_int_equal(reach(fixture, list, ACCESS_REMOTE_READ, 2 * MLX5_PAGE_SIZE, 64,
			       fixture->host->pd, &fault),
			 ACCESS_NOT_PRESENT);
	assert_int_equal(fault.mkey, list); /* the null key: the region itself is asked for */
}

/* Two keys that lead to each other end somewhere. */
static void test_circle(void **state)
{
	struct fixture *fixture = *state;
	u32 key = host_new_free_mkey(fixture->host, MKEY_KLM, fixture->host->pd, 4);
	struct umr umr;

	umr_begin(&umr, key, UMR_OFFSET | UMR_INLINE,
		  MASK_LENGTH | MASK_START | MASK_RIGHTS | MASK_FREE, 4, 0);
	umr_rights(&umr, true, true);
	IFC_SET64(mkc, umr.context, len, MLX5_PAGE_SIZE);
	ifc_set32(umr.wqe + 128, 0, 32, MLX5_PAGE_SIZE);
	ifc_set32(umr.wqe + 128, 32, 32, key);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	assert_int_equal(simple(fixture, key, ACCESS_REMOTE_READ, 0), ACCESS_DENIED);
}

static void test_umr_refusals(void **state)
{
	struct fixture *fixture = *state;
	u32 other = host_new_pd(fixture->host);
	u32 foreign = host_new_free_mkey(fixture->host, MKEY_MTT, other, 4);
	u8 *list = host_alloc(fixture->host, MLX5_PAGE_SIZE);
	struct umr umr;

	umr_begin(&umr, foreign, UMR_INLINE, MASK_FREE, 0, 0);
	assert_int_equal(umr_run(fixture, &umr, false), SYNDROME_MW_BIND);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	umr_begin(&umr, fixture->key, UMR_INLINE, MASK_PD, 0, 0);
	assert_int_equal(umr_run(fixture, &umr, false), SYNDROME_MW_BIND);
	umr_begin(&umr, fixture->key, UMR_INLINE | UMR_MUST_BE_FREE, 0, 0, 0);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_MW_BIND);
	umr_begin(&umr, fixture->key, UMR_INLINE, 1 << 2, 0, 0); /* no such field */
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_LOCAL_QP_OP);
	umr_begin(&umr, fixture->key, UMR_INLINE | UMR_OFFSET, 0, 4, 1); /* beyond the table */
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_MW_BIND);
	umr_begin(&umr, fixture->key, UMR_INLINE, 0, 100, 0); /* beyond the work request */
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_LOCAL_QP_OP);
	umr_begin(&umr, fixture->key, 0, 0, 4, 0); /* the list's key does not exist */
	ifc_set32(umr.wqe + 128, 0, 32, 64);
	ifc_set32(umr.wqe + 128, 32, 32, 0xffff00);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_LOCAL_PROT);
	umr_begin(&umr, fixture->key, 0, 0, 4, 0); /* the list is shorter than said */
	ifc_set32(umr.wqe + 128, 0, 32, 32);
	ifc_set32(umr.wqe + 128, 32, 32, fixture->key);
	ifc_set64(umr.wqe + 128, 64, host_iova(fixture->host, list));
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_LOCAL_LENGTH);
	assert_int_equal(*counter(fixture->host->base.model.counters, "umrs_failed"), 8);
}

/* As after an unmap by the host: who still points there? */
static void test_oracle(void **state)
{
	struct fixture *fixture = *state;
	struct mlx5_device *dev = fixture->host->dev;
	u64 *stale = counter(fixture->host->base.model.counters, "stale_keys");
	struct umr umr;

	memory_key_oracle(dev, va(fixture, 0) - MLX5_PAGE_SIZE, MLX5_PAGE_SIZE);
	memory_key_oracle(dev, va(fixture, BYTES), MLX5_PAGE_SIZE);
	assert_int_equal(*stale, 0);
	memory_key_oracle(dev, va(fixture, BYTES) - 1, 1);
	assert_int_equal(*stale, 1);
	memory_key_oracle(dev, 0, ~0ull);
	assert_int_equal(*stale, 2);
	/* A shorter life of the key leaves the entries behind its end: not to be reached. */
	umr_begin(&umr, fixture->key, 0, MASK_LENGTH, 0, 0);
	IFC_SET64(mkc, umr.context, len, MLX5_PAGE_SIZE + 1);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	memory_key_oracle(dev, va(fixture, 2 * MLX5_PAGE_SIZE), BYTES - 2 * MLX5_PAGE_SIZE);
	assert_int_equal(*stale, 2);
	memory_key_oracle(dev, va(fixture, 2 * MLX5_PAGE_SIZE) - 1, 1);
	assert_int_equal(*stale, 3);
	IFC_SET64(mkc, umr.context, len, BYTES);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	umr_begin(&umr, fixture->key, UMR_OFFSET | UMR_INLINE, 0, 4, 0); /* zap */
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	memory_key_oracle(dev, 0, ~0ull);
	assert_int_equal(*stale, 3);
	ifc_set64(umr.wqe + 128, 0, va(fixture, 0) | MTT_READ);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	memory_key_oracle(dev, va(fixture, 0), MLX5_PAGE_SIZE);
	assert_int_equal(*stale, 4);
	umr_begin(&umr, fixture->key, UMR_INLINE, MASK_FREE, 0, 0);
	IFC_SET(mkc, umr.context, free, 1);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	memory_key_oracle(dev, 0, ~0ull);
	assert_int_equal(*stale, 4);
}

/* Large pages: one entry reaches far, and the offset in it counts. */
static void test_page_size(void **state)
{
	struct fixture *fixture = *state;
	u32 key = host_new_free_mkey(fixture->host, MKEY_MTT, fixture->host->pd, 4);
	struct umr umr;

	umr_begin(&umr, key, UMR_OFFSET | UMR_INLINE | UMR_MUST_BE_FREE,
		  MASK_LENGTH | MASK_PAGE_SIZE | MASK_START | MASK_RIGHTS | MASK_FREE, 4, 0);
	umr_rights(&umr, true, true);
	IFC_SET64(mkc, umr.context, start_addr, 0x10000000 + 64);
	IFC_SET64(mkc, umr.context, len, BYTES - 64);
	IFC_SET(mkc, umr.context, log_page_size, 15);
	ifc_set64(umr.wqe + 128, 0, va(fixture, 0) | MTT_READ | MTT_WRITE);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	assert_int_equal(simple(fixture, key, ACCESS_REMOTE_WRITE, 0x10000000 + 5000), ACCESS_OK);
	assert_int_equal(fixture->memory[5000], 0xa5);
	assert_int_equal(fixture->memory[4999], 0);
	assert_int_equal(simple(fixture, key, ACCESS_REMOTE_WRITE, 0x10000000), ACCESS_DENIED);
}

/* Mapped by the key, but not for the device: counted by the bus, and nothing moves at all. */
static void test_stray_access(void **state)
{
	struct fixture *fixture = *state;
	u64 *strays = counter(fixture->host->base.model.counters, "dma.unmapped_accesses");
	struct umr umr;

	umr_begin(&umr, fixture->key, UMR_OFFSET | UMR_INLINE, 0, 1, 0);
	ifc_set64(umr.wqe + 128, 0, va(fixture, 0) | MTT_READ | MTT_WRITE);
	ifc_set64(umr.wqe + 128, 64, 0x7000000000ull | MTT_READ | MTT_WRITE);
	assert_int_equal(umr_run(fixture, &umr, true), SYNDROME_NONE);
	assert_int_equal(reach(fixture, fixture->key, ACCESS_REMOTE_WRITE, va(fixture, 4000), 200,
			       fixture->host->pd, NULL),
			 ACCESS_BUS_ERROR);
	assert_int_equal(*strays, 1);
	assert_int_equal(fixture->memory[4000], 0);
}

static enum access_result add(struct fixture *fixture, const struct access *access, u64 value,
			      u64 *old)
{
	return memory_key_atomic(fixture->host->dev, access, ATOMIC_FETCH_ADD, value, 0, old, NULL);
}

static void test_atomics(void **state)
{
	struct fixture *fixture = *state;
	struct access access = {.key = fixture->key, .va = va(fixture, 8), .length = 8,
				.kind = ACCESS_REMOTE_ATOMIC, .pd = fixture->host->pd};
	u64 value = 40, old = 0;

	memcpy(fixture->memory + 8, &value, sizeof(value));
	assert_int_equal(add(fixture, &access, 2, &old),
			 ACCESS_OK);
	assert_int_equal(old, 40);
	assert_int_equal(memory_key_atomic(fixture->host->dev, &access, ATOMIC_COMPARE_SWAP, 7, 41,
					   &old, NULL),
			 ACCESS_OK);
	assert_int_equal(old, 42);
	assert_int_equal(memory_key_atomic(fixture->host->dev, &access, ATOMIC_COMPARE_SWAP, 7, 42,
					   &old, NULL),
			 ACCESS_OK);
	memcpy(&value, fixture->memory + 8, sizeof(value));
	assert_int_equal(value, 7);
	access.va += 4;
	assert_int_equal(add(fixture, &access, 2, &old),
			 ACCESS_DENIED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, host_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_rights_and_bounds), TEST(test_numbers_rotate),   TEST(test_missing_page),
		TEST(test_window),	      TEST(test_window_of_one_qp), TEST(test_list_of_parts),
		TEST(test_circle),	      TEST(test_umr_refusals),	   TEST(test_oracle),
		TEST(test_page_size),	      TEST(test_stray_access),	   TEST(test_atomics),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
