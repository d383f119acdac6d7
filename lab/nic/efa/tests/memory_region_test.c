/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Memory regions: their page lists in every form, right and wrong; keys, bounds, rights, PDs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

static int set_up(void **state)
{
	*state = host_new();
	return 0;
}

static int tear_down(void **state)
{
	host_free(*state);
	return 0;
}

static enum access_result try(struct host *host, u32 key, u64 va, u64 length, enum access_kind kind,
			      void *data)
{
	const struct access access = {
		.key = key, .pd = host->pd, .va = va, .length = length, .kind = kind,
	};

	return mr_access(host->dev, &access, data);
}

static enum admin_status reg(struct host *host, const struct efa_admin_reg_mr_cmd *in, u8 flags,
			     struct host_mr *mr)
{
	union {
		struct efa_admin_reg_mr_resp resp;
		u8 raw[64];
	} out;
	enum admin_status status = host_command(host, EFA_ADMIN_REG_MR, flags, in, sizeof(*in),
						&out);

	if (mr)
		*mr = (struct host_mr){.lkey = out.resp.l_key, .rkey = out.resp.r_key};
	return status;
}

static struct efa_admin_reg_mr_cmd command(struct host *host, const u8 *page, u64 length)
{
	return (struct efa_admin_reg_mr_cmd){
		.pd = host->pd,
		.mr_length = length,
		.flags = 12,
		.permissions = RIGHTS_ALL,
		.iova = 0x7000000000,
		.pbl.inline_pbl_array = {host_iova(host, page)},
	};
}

static void put_list(struct host *host, struct efa_admin_reg_mr_cmd *in, const void *list,
		     u32 length)
{
	u64 where = host_iova(host, list);

	in->pbl.pbl.length = length;
	in->pbl.pbl.address.mem_addr_low = where;
	in->pbl.pbl.address.mem_addr_high = where >> 32;
}

/* Three pages in another order than they lie, and bytes across their borders. */
static void pages_are_put_together(void **state)
{
	u8 *pages = host_alloc(*state, 3 * HOST_PAGE), data[HOST_PAGE + 20];
	struct efa_admin_reg_mr_cmd in = command(*state, pages, 3 * HOST_PAGE - 100);
	u64 first = in.pbl.inline_pbl_array[0];
	struct host_mr mr;

	in.iova += 100;
	in.pbl.inline_pbl_array[0] = first + 2 * HOST_PAGE;
	in.pbl.inline_pbl_array[1] = first;
	in.pbl.inline_pbl_array[2] = first + HOST_PAGE;
	assert_int_equal(reg(*state, &in, 0, &mr), ADMIN_OK);
	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	assert_int_equal(try(*state, mr.rkey, in.iova + HOST_PAGE - 110, sizeof(data),
			     ACCESS_REMOTE_WRITE, data),
			 ACCESS_OK);
	assert_memory_equal(pages + 3 * HOST_PAGE - 10, data, 10);
	assert_memory_equal(pages, data + 10, HOST_PAGE);
	assert_memory_equal(pages + HOST_PAGE, data + 10 + HOST_PAGE, 10);
	memset(pages + HOST_PAGE, 9, 10);
	assert_int_equal(try(*state, mr.lkey, in.iova + 2 * HOST_PAGE - 100, 10, ACCESS_LOCAL_READ,
			     data),
			 ACCESS_OK);
	assert_int_equal(data[0], 9);
}

static void large_pages(void **state)
{
	u8 *memory = host_alloc(*state, 8u << 20), *aligned = memory, data = 5;
	struct efa_admin_reg_mr_cmd in;
	struct host_mr mr;

	while (host_iova(*state, aligned) % (2u << 20))
		aligned += HOST_PAGE;
	in = command(*state, aligned, 4u << 20);
	in.flags = 21;
	in.pbl.inline_pbl_array[1] = in.pbl.inline_pbl_array[0] + (2u << 20);
	assert_int_equal(reg(*state, &in, 0, &mr), ADMIN_OK);
	assert_int_equal(try(*state, mr.lkey, in.iova + (3u << 20), 1, ACCESS_LOCAL_WRITE, &data),
			 ACCESS_OK);
	assert_int_equal(aligned[3u << 20], 5);
	in.pbl.inline_pbl_array[1] += HOST_PAGE;
	assert_int_equal(reg(*state, &in, 0, NULL), ADMIN_MALFORMED);
}

/* A chain of chunks, the last page of the list not full. */
static void chain_of_chunks(void **state)
{
	struct host *host = *state;
	u8 *page = host_alloc(host, 2 * HOST_PAGE), data = 7;
	u64 *lists = (void *)host_alloc(host, 3 * HOST_PAGE), *chunks[2];
	struct efa_admin_ctrl_buff_info next = {};
	struct efa_admin_reg_mr_cmd in = command(host, page, 1200ull * HOST_PAGE);
	struct host_mr mr;

	for (u32 i = 0; i < 1200; i++)
		lists[i] = host_iova(host, page + (i == 1150) * HOST_PAGE);
	for (u32 i = 0; i < 2; i++)
		chunks[i] = (void *)host_alloc(host, HOST_PAGE);
	chunks[0][0] = host_iova(host, lists);
	chunks[0][1] = host_iova(host, lists + 512);
	next.length = 8 + sizeof(next);
	next.address.mem_addr_low = host_iova(host, chunks[1]);
	next.address.mem_addr_high = host_iova(host, chunks[1]) >> 32;
	memcpy(chunks[0] + 2, &next, sizeof(next));
	chunks[1][0] = host_iova(host, lists + 1024);
	put_list(host, &in, chunks[0], 16 + sizeof(next));
	assert_int_equal(reg(host, &in, 6, &mr), ADMIN_OK);
	assert_int_equal(try(host, mr.lkey, in.iova + 1150ull * HOST_PAGE, 1, ACCESS_LOCAL_WRITE,
			     &data),
			 ACCESS_OK);
	assert_int_equal(page[HOST_PAGE], 7);
	assert_int_equal(page[0], 0);

	/* Ends too early, is not mapped, has an impossible length. */
	memset(chunks[0] + 2, 0, sizeof(next));
	assert_int_equal(reg(host, &in, 6, NULL), ADMIN_MALFORMED);
	memcpy(chunks[0] + 2, &next, sizeof(next));
	chunks[1][0] = 0x10;
	assert_int_equal(reg(host, &in, 6, NULL), ADMIN_MALFORMED);
	put_list(host, &in, chunks[0], 17 + sizeof(next));
	assert_int_equal(reg(host, &in, 6, NULL), ADMIN_MALFORMED);
	put_list(host, &in, chunks[0], 2 * HOST_PAGE);
	assert_int_equal(reg(host, &in, 6, NULL), ADMIN_MALFORMED);
}

/* A chunk that names itself as the next one is read as often as the list needs. */
static void chain_that_loops_ends(void **state)
{
	struct host *host = *state;
	u8 *page = host_alloc(host, HOST_PAGE);
	u64 *list = (void *)host_alloc(host, HOST_PAGE), *chunk = (void *)host_alloc(host, HOST_PAGE);
	struct efa_admin_reg_mr_cmd in = command(host, page, 100000ull * HOST_PAGE);
	struct efa_admin_ctrl_buff_info next = {.length = 8 + sizeof(next)};

	for (u32 i = 0; i < 512; i++)
		list[i] = host_iova(host, page);
	chunk[0] = host_iova(host, list);
	next.address.mem_addr_low = host_iova(host, chunk);
	next.address.mem_addr_high = host_iova(host, chunk) >> 32;
	memcpy(chunk + 1, &next, sizeof(next));
	put_list(host, &in, chunk, next.length);
	assert_int_equal(reg(host, &in, 6, NULL), ADMIN_OK);
}

static void wrong_registrations(void **state)
{
	struct host *host = *state;
	u8 *page = host_alloc(host, HOST_PAGE);
	const struct efa_admin_reg_mr_cmd right = command(host, page, HOST_PAGE);
	struct efa_admin_reg_mr_cmd in;
	u32 pds;

#define REFUSED(status, ...)                                                                       \
	do {                                                                                       \
		in = right;                                                                        \
		__VA_ARGS__;                                                                       \
		assert_int_equal(reg(host, &in, 0, NULL), status);                                 \
	} while (0)
	REFUSED(ADMIN_OK, (void)0);
	REFUSED(ADMIN_ILLEGAL, in.pd = host->pd + 1);
	REFUSED(ADMIN_ILLEGAL, in.mr_length = 0);
	REFUSED(ADMIN_ILLEGAL, in.iova = -4095ull);
	REFUSED(ADMIN_ILLEGAL, in.mr_length = ~0ull; in.iova = 0);
	REFUSED(ADMIN_ILLEGAL, in.flags = 11);
	REFUSED(ADMIN_ILLEGAL, in.flags = 31);
	REFUSED(ADMIN_ILLEGAL, in.flags |= 0x80);
	REFUSED(ADMIN_ILLEGAL, in.permissions = 8);
	REFUSED(ADMIN_MALFORMED, in.pbl.inline_pbl_array[0] += 8);
	REFUSED(ADMIN_MALFORMED, in.mr_length = 5 * HOST_PAGE);
#undef REFUSED
	/* A list that is too short, or not there. */
	in = right;
	in.mr_length = 6 * HOST_PAGE;
	put_list(host, &in, page, 5 * 8);
	assert_int_equal(reg(host, &in, 2, NULL), ADMIN_MALFORMED);
	in.pbl.pbl.length = 6 * 8;
	in.pbl.pbl.address.mem_addr_high = 7;
	assert_int_equal(reg(host, &in, 2, NULL), ADMIN_MALFORMED);
	/* None of them holds on to its PD. */
	pds = id_table_count(host->dev->mrs);
	assert_int_equal(pds, 1);
	assert_int_equal(host->dev->mr_pages, 1);
}

static void keys_bounds_and_rights(void **state)
{
	struct host *host = *state;
	u8 *memory = host_alloc(host, 2 * HOST_PAGE), data[16];
	struct host_mr all = host_new_mr(host, host->pd, memory, 1000, RIGHTS_ALL);
	struct host_mr none = host_new_mr(host, host->pd, memory, 1000, 0);
	struct host_mr other = host_new_mr(host, host_new_pd(host), memory, 1000, RIGHTS_ALL);
	u64 va = host_iova(host, memory);

	assert_int_not_equal(all.lkey, all.rkey);
	assert_int_equal(try(host, all.lkey, va, 16, ACCESS_LOCAL_WRITE, data), ACCESS_OK);
	assert_int_equal(try(host, all.rkey, va + 984, 16, ACCESS_REMOTE_READ, data), ACCESS_OK);
	assert_int_equal(try(host, all.rkey, va, 16, ACCESS_LOCAL_READ, data), ACCESS_DENIED);
	assert_int_equal(try(host, all.lkey, va, 16, ACCESS_REMOTE_WRITE, data), ACCESS_DENIED);
	assert_int_equal(try(host, all.lkey, va + 985, 16, ACCESS_LOCAL_READ, data), ACCESS_DENIED);
	assert_int_equal(try(host, all.lkey, va - 1, 16, ACCESS_LOCAL_READ, data), ACCESS_DENIED);
	assert_int_equal(try(host, all.lkey, va, ~0ull, ACCESS_LOCAL_READ, data), ACCESS_DENIED);
	assert_int_equal(try(host, all.lkey + 100, va, 16, ACCESS_LOCAL_READ, data), ACCESS_DENIED);
	assert_int_equal(try(host, none.lkey, va, 16, ACCESS_LOCAL_READ, data), ACCESS_OK);
	assert_int_equal(try(host, none.lkey, va, 16, ACCESS_LOCAL_WRITE, data), ACCESS_DENIED);
	assert_int_equal(try(host, none.rkey, va, 16, ACCESS_REMOTE_READ, data), ACCESS_DENIED);
	assert_int_equal(try(host, none.rkey, va, 16, ACCESS_REMOTE_WRITE, data), ACCESS_DENIED);
	assert_int_equal(try(host, other.lkey, va, 16, ACCESS_LOCAL_READ, data), ACCESS_DENIED);
	assert_int_equal(try(host, 0, va, 0, ACCESS_LOCAL_READ, data), ACCESS_OK);
}

static void deregistered_is_gone(void **state)
{
	struct host *host = *state;
	u8 *memory = host_alloc(host, HOST_PAGE), data;
	struct host_mr mr = host_new_mr(host, host->pd, memory, 100, RIGHTS_ALL);
	json_t *shown = mr_json(host->dev, mr.rkey);

	assert_non_null(shown);
	json_decref(shown);
	assert_int_equal(host_dereg(host, mr.lkey), ADMIN_OK);
	assert_int_equal(host_dereg(host, mr.lkey), ADMIN_ILLEGAL);
	assert_int_equal(try(host, mr.lkey, host_iova(host, memory), 1, ACCESS_LOCAL_READ, &data),
			 ACCESS_DENIED);
	assert_null(mr_json(host->dev, mr.lkey));
	/* Its number does not come back soon. */
	assert_int_not_equal(host_new_mr(host, host->pd, memory, 100, 0).lkey, mr.lkey);
}

static void host_takes_memory_away(void **state)
{
	struct host *host = *state;
	u8 *memory = host_alloc(host, HOST_PAGE), data;
	struct host_mr mr = host_new_mr(host, host->pd, memory + 100, 100, RIGHTS_ALL);
	u64 va = host_iova(host, memory);

	/* Of its page, but not the region. */
	mr_oracle(host->dev, va, 100);
	mr_oracle(host->dev, va + 200, 100);
	mr_oracle(host->dev, va + 150, 0);
	assert_int_equal(host_counter(host, "stale_keys"), 0);
	assert_int_equal(dma_space_unmap(host->dev->dma, HOST_IOVA, HOST_MEMORY), 0);
	mr_oracle(host->dev, HOST_IOVA, HOST_MEMORY);
	assert_int_equal(host_counter(host, "stale_keys"), 1);
	mr_oracle(host->dev, HOST_IOVA, HOST_MEMORY);
	assert_int_equal(host_counter(host, "stale_keys"), 1);
	assert_int_equal(try(host, mr.lkey, va + 100, 1, ACCESS_LOCAL_READ, &data),
			 ACCESS_BUS_ERROR);
	assert_int_equal(host_counter(host, "dma.unmapped_accesses"), 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(pages_are_put_together),	test(large_pages),
		test(chain_of_chunks),		test(chain_that_loops_ends),
		test(wrong_registrations),	test(keys_bounds_and_rights),
		test(deregistered_is_gone),	test(host_takes_memory_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
