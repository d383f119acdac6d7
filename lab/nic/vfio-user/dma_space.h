/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The host memory that a device can reach: the windows that the host mapped for it, each backed by
 * a shared file. An access that leaves the mapped windows is what an IOMMU would have blocked: it
 * fails as a whole, is counted and logged.
 */
#ifndef LAB_NIC_VFIO_USER_DMA_SPACE_H
#define LAB_NIC_VFIO_USER_DMA_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct counters;
struct dma_space;

enum {
	DMA_MAY_READ = 1,
	DMA_MAY_WRITE = 2,
};

/*
 * Counters: dma.maps, dma.unmaps, dma.unmapped_accesses, dma.no_bus_master, dma.by_host. log: NULL for none;
 * the first unmapped accesses are written there, with the window that was unmapped last around
 * them. Ends the program when out of memory.
 */
struct dma_space *dma_space_new(struct counters *counters, FILE *log);
void dma_space_free(struct dma_space *dma);
void dma_space_set_log(struct dma_space *dma, FILE *log);

/*
 * Window [iova, iova + size) becomes bytes [offset, offset + size) of fd, which stays the caller's.
 * fd -1: there is no file, the host has to be asked to move the bytes.
 * permissions: DMA_MAY_*. 0, -EINVAL (empty, wraps around, file too short), -EEXIST (overlaps a
 * window), or what mmap() says.
 */
int dma_space_map(struct dma_space *dma, uint64_t iova, uint64_t size, int fd, uint64_t offset,
		  unsigned int permissions);
/*
 * How the host is asked: 0 or -errno. Windows may come and go, and bus mastering may go off, before
 * it returns. Without a host such windows are there, and every access to them is -EFAULT.
 */
typedef int (*dma_host)(void *opaque, uint64_t iova, uint8_t *data, size_t len, bool write);
void dma_space_set_host(struct dma_space *dma, dma_host host, void *opaque);
/*
 * Takes away all windows inside [iova, iova + size). -EINVAL, and nothing happens, if a window lies
 * across one end; -ENOENT if there is none.
 */
int dma_space_unmap(struct dma_space *dma, uint64_t iova, uint64_t size);
void dma_space_unmap_all(struct dma_space *dma);
unsigned int dma_space_windows(const struct dma_space *dma);
void dma_space_set_bus_master(struct dma_space *dma, bool enabled);

/*
 * len bytes at iova, which may span windows. 0; -EFAULT if any byte is not mapped for that
 * direction; -EPERM if bus mastering is off. Nothing is copied unless all of it can be; only where
 * the host cut the file behind a window short, or where it moves the bytes itself and stops, may
 * the bytes before that have been copied.
 */
int dma_read(struct dma_space *dma, uint64_t iova, void *buf, size_t len);
int dma_write(struct dma_space *dma, uint64_t iova, const void *buf, size_t len);
/* As dma_write, but the last `tail` bytes (1, 2, 4 or 8, aligned) become visible last, at once. */
int dma_write_publish(struct dma_space *dma, uint64_t iova, const void *buf, size_t len,
		      size_t tail);

int dma_read_be32(struct dma_space *dma, uint64_t iova, uint32_t *value);
int dma_read_be64(struct dma_space *dma, uint64_t iova, uint64_t *value);
int dma_write_be32(struct dma_space *dma, uint64_t iova, uint32_t value);
int dma_write_be64(struct dma_space *dma, uint64_t iova, uint64_t value);

/*
 * Pointer to size bytes (1, 2, 4 or 8, naturally aligned) for an atomic operation, or NULL with
 * the same counting as dma_write. Valid until the next unmap. NULL in windows without a file: an
 * atomic operation there would need one on the bus.
 */
void *dma_atomic_target(struct dma_space *dma, uint64_t iova, size_t size);

/* Counts nothing. */
bool dma_mapped(const struct dma_space *dma, uint64_t iova, uint64_t len);

#endif
