/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Memory regions: pinned pages behind a pair of keys, from REG_MR until DEREG_MR. Nothing takes a
 * page away in between: the device has no way to be told.
 *
 * lkey and rkey name the same region and differ, so that one used for the other is found out.
 */
#include <errno.h>

#include "efa.h"

#define RKEY_TAG 0x5a000000u
#define KEY_MASK GENMASK(23, 0)
#define MIN_PAGE_SHIFT 12
#define MAX_PAGE_SHIFT 30
#define INLINE_PAGES 4u
#define MAX_TOTAL_PAGES (1u << 24)
#define LIST_PAGE_BYTES 4096u
#define LIST_PAGE_ENTRIES (LIST_PAGE_BYTES / 8)
#define RIGHTS                                                                                     \
	(EFA_ADMIN_REG_MR_CMD_LOCAL_WRITE_ENABLE_MASK |                                            \
	 EFA_ADMIN_REG_MR_CMD_REMOTE_WRITE_ENABLE_MASK |                                           \
	 EFA_ADMIN_REG_MR_CMD_REMOTE_READ_ENABLE_MASK)

struct efa_mr {
	struct efa_device *dev;
	u32 lkey, rkey, pd;
	u64 iova, length;
	u32 page_shift, page_count;
	u8 rights;
	bool stale;
	u64 lowest, highest; /* page addresses */
	u64 *pages;
};

void mr_destroy(void *object)
{
	struct efa_mr *mr = object;

	mr->dev->mr_pages -= mr->page_count;
	pd_put(mr->dev, mr->pd);
	g_free(mr->pages);
	g_free(mr);
}

static u64 page_offset(const struct efa_mr *mr, u64 va)
{
	return va & ((1ull << mr->page_shift) - 1);
}

/* Which page of the region va lies in. */
static u64 page_index(const struct efa_mr *mr, u64 va)
{
	return (page_offset(mr, mr->iova) + (va - mr->iova)) >> mr->page_shift;
}

/*
 * The list of pages lies in pages itself, and those are named by chunks: addresses, and at the end
 * length and address of the next chunk. As many chunks are read as the list needs, so that a chain
 * that loops ends.
 */
static bool read_chain(struct efa_mr *mr, struct efa_admin_ctrl_buff_info next)
{
	u64 chunk[LIST_PAGE_ENTRIES];
	u32 done = 0;

	while (done < mr->page_count) {
		u32 entries;

		if (next.length > sizeof(chunk) || next.length < sizeof(next) + 8 ||
		    (next.length - sizeof(next)) % 8)
			return false;
		if (dma_read(mr->dev->dma, efa_address(next.address), chunk, next.length))
			return false;
		entries = (next.length - sizeof(next)) / 8;
		for (u32 i = 0; i < entries && done < mr->page_count; i++) {
			u32 count = MIN(LIST_PAGE_ENTRIES, mr->page_count - done);

			if (dma_read(mr->dev->dma, chunk[i], mr->pages + done, count * 8ull))
				return false;
			done += count;
		}
		memcpy(&next, chunk + entries, sizeof(next));
	}
	return true;
}

static bool read_pages(struct efa_mr *mr, const struct admin_command *command)
{
	const struct efa_admin_reg_mr_cmd *in = command->in;
	struct efa_admin_ctrl_buff_info list;

	if (!command->control_buffer) {
		if (mr->page_count > INLINE_PAGES)
			return false;
		memcpy(mr->pages, in->pbl.inline_pbl_array, mr->page_count * 8ull);
		return true;
	}
	memcpy(&list, &in->pbl.pbl, sizeof(list));
	if (command->indirect)
		return read_chain(mr, list);
	return list.length >= mr->page_count * 8ull &&
	       !dma_read(mr->dev->dma, efa_address(list.address), mr->pages, mr->page_count * 8ull);
}

static bool pages_are_aligned(struct efa_mr *mr)
{
	mr->lowest = ~0ull;
	for (u32 i = 0; i < mr->page_count; i++) {
		if (page_offset(mr, mr->pages[i]))
			return false;
		mr->lowest = MIN(mr->lowest, mr->pages[i]);
		mr->highest = MAX(mr->highest, mr->pages[i]);
	}
	return true;
}

static enum admin_status check_geometry(const struct efa_admin_reg_mr_cmd *in, u32 shift)
{
	if (EFA_GET(&in->flags, EFA_ADMIN_REG_MR_CMD_MEM_ADDR_PHY_MODE_EN))
		return ADMIN_ILLEGAL;
	if (shift < MIN_PAGE_SHIFT || shift > MAX_PAGE_SHIFT || in->permissions & ~RIGHTS)
		return ADMIN_ILLEGAL;
	if (!in->mr_length || in->mr_length - 1 > ~0ull - in->iova ||
	    (in->mr_length - 1) >> shift >= EFA_MAX_MR_PAGES)
		return ADMIN_ILLEGAL;
	return ADMIN_OK;
}

static enum admin_status load(struct efa_mr *mr, const struct admin_command *command)
{
	struct efa_device *dev = mr->dev;

	if (dev->mr_pages + mr->page_count > MAX_TOTAL_PAGES)
		return ADMIN_NO_RESOURCES;
	mr->pages = g_try_new(u64, mr->page_count);
	if (!mr->pages)
		return ADMIN_NO_RESOURCES;
	if (!read_pages(mr, command) || !pages_are_aligned(mr))
		return ADMIN_MALFORMED;
	if (id_table_count(dev->mrs) < EFA_MAX_MRS)
		mr->lkey = id_table_add(dev->mrs, mr);
	return mr->lkey ? ADMIN_OK : ADMIN_NO_RESOURCES;
}

static enum admin_status reg_mr(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_reg_mr_cmd *in = command->in;
	u32 shift = EFA_GET(&in->flags, EFA_ADMIN_REG_MR_CMD_PHYS_PAGE_SIZE_SHIFT);
	enum admin_status status = check_geometry(in, shift);
	struct efa_admin_reg_mr_resp *out = command->out;
	struct efa_mr *mr;

	if (status)
		return status;
	if (!pd_get(dev, in->pd))
		return ADMIN_ILLEGAL;
	mr = g_new0(struct efa_mr, 1);
	mr->dev = dev;
	mr->pd = in->pd;
	mr->iova = in->iova;
	mr->length = in->mr_length;
	mr->page_shift = shift;
	mr->rights = in->permissions;
	mr->page_count = page_index(mr, mr->iova + (mr->length - 1)) + 1;
	status = load(mr, command);
	dev->mr_pages += mr->page_count;
	if (status) {
		mr_destroy(mr);
		return status;
	}
	mr->rkey = mr->lkey | RKEY_TAG;
	out->l_key = mr->lkey;
	out->r_key = mr->rkey;
	return ADMIN_OK;
}

static enum admin_status dereg_mr(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_dereg_mr_cmd *in = command->in;

	return id_table_remove(dev->mrs, in->l_key) ? ADMIN_OK : ADMIN_ILLEGAL;
}

static u8 needed_right(enum access_kind kind)
{
	switch (kind) {
	case ACCESS_LOCAL_WRITE:
		return EFA_ADMIN_REG_MR_CMD_LOCAL_WRITE_ENABLE_MASK;
	case ACCESS_REMOTE_READ:
		return EFA_ADMIN_REG_MR_CMD_REMOTE_READ_ENABLE_MASK;
	case ACCESS_REMOTE_WRITE:
		return EFA_ADMIN_REG_MR_CMD_REMOTE_WRITE_ENABLE_MASK;
	default:
		return 0;
	}
}

static struct efa_mr *find(struct efa_device *dev, const struct access *access)
{
	bool remote = access->kind == ACCESS_REMOTE_READ || access->kind == ACCESS_REMOTE_WRITE;
	struct efa_mr *mr = id_table_find(dev->mrs, access->key & KEY_MASK);
	u64 offset;

	if (!mr || access->key != (remote ? mr->rkey : mr->lkey) || mr->pd != access->pd)
		return NULL;
	if (needed_right(access->kind) & ~mr->rights)
		return NULL;
	offset = access->va - mr->iova;
	if (offset > mr->length || access->length > mr->length - offset)
		return NULL;
	return mr;
}

enum access_result mr_check(struct efa_device *dev, const struct access *access)
{
	return !access->length || find(dev, access) ? ACCESS_OK : ACCESS_DENIED;
}

enum access_result mr_access(struct efa_device *dev, const struct access *access, void *buf)
{
	bool write = access->kind == ACCESS_LOCAL_WRITE || access->kind == ACCESS_REMOTE_WRITE;
	u64 done = 0;
	struct efa_mr *mr;

	if (!access->length)
		return ACCESS_OK;
	mr = find(dev, access);
	if (!mr)
		return ACCESS_DENIED;
	while (done < access->length) {
		u64 va = access->va + done, offset = page_offset(mr, va);
		u64 step = MIN((1ull << mr->page_shift) - offset, access->length - done);
		u64 address = mr->pages[page_index(mr, va)] + offset;
		u8 *data = (u8 *)buf + done;

		if (write ? dma_write(dev->dma, address, data, step) :
			    dma_read(dev->dma, address, data, step))
			return ACCESS_BUS_ERROR;
		done += step;
	}
	*(write ? dev->count.bytes_written : dev->count.bytes_read) += done;
	return ACCESS_OK;
}

struct window {
	u64 first, last;
};

static void check_window(void *object, void *opaque)
{
	const struct window *window = opaque;
	struct efa_mr *mr = object;
	u64 rest = (1ull << mr->page_shift) - 1;

	if (mr->stale || window->last < mr->lowest || window->first > mr->highest + rest)
		return;
	for (u32 i = 0; i < mr->page_count && !mr->stale; i++) {
		/* Of the first and the last page only a part may be the region's. */
		u64 from = mr->pages[i] + (i ? 0 : page_offset(mr, mr->iova));
		u64 to = mr->pages[i] + (i + 1 == mr->page_count ?
				page_offset(mr, mr->iova + (mr->length - 1)) : rest);

		mr->stale = window->first <= to && from <= window->last;
	}
	if (!mr->stale)
		return;
	++*mr->dev->count.stale_keys;
	efa_log(mr->dev, "memory region 0x%x still maps 0x%llx..0x%llx, which went away", mr->lkey,
		(unsigned long long)window->first, (unsigned long long)window->last);
}

void mr_oracle(struct efa_device *dev, u64 iova, u64 size)
{
	struct window window = {.first = iova, .last = iova + (size - 1)};

	if (size)
		id_table_for_each(dev->mrs, check_window, &window);
}

json_t *mr_json(struct efa_device *dev, u32 key)
{
	struct efa_mr *mr = id_table_find(dev->mrs, key & KEY_MASK);

	if (!mr || (key != mr->lkey && key != mr->rkey))
		return NULL;
	return json_pack("{s:I, s:I, s:i, s:I, s:I, s:i, s:i, s:i, s:b}", "lkey",
			 (json_int_t)mr->lkey, "rkey", (json_int_t)mr->rkey, "pd", (int)mr->pd,
			 "start", (json_int_t)mr->iova, "length", (json_int_t)mr->length,
			 "log_page_size", (int)mr->page_shift, "pages", (int)mr->page_count,
			 "rights", (int)mr->rights, "stale", mr->stale);
}

const struct admin_entry memory_region_commands[] = {
	{EFA_ADMIN_REG_MR, "REG_MR", "reg_mr", reg_mr},
	{EFA_ADMIN_DEREG_MR, "DEREG_MR", "dereg_mr", dereg_mr},
	{},
};
