/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The parts of the mlx5 model and what they ask of each other. Data flows one way:
 *
 *   doorbell -> QP scheduler -> requester -> responder / receive queue -> memory key -> DMA
 *                                   |               |
 *                                   +-> completion queue -> event queue -> interrupt
 *
 * Everything runs in one thread; a slice of work (at most QP_SLICE_BYTES moved) is atomic towards
 * the host's commands, MMIO and DMA unmaps.
 */
#ifndef LAB_NIC_MLX5_MLX5_H
#define LAB_NIC_MLX5_MLX5_H

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "ifc.h"
#include "../common/fabric.h"
#include "../common/id_table.h"
#include "../common/model_host.h"
#include "../control/control.h"
#include "../control/counters.h"
#include "../control/knobs.h"
#include "../vfio-user/dma_space.h"
#include "../vfio-user/pci_device.h"

#define MLX5_PAGE_SHIFT 12
#define MLX5_PAGE_SIZE 4096u
#define MLX5_MAX_MTU 4096u
#define QP_SLICE_BYTES (64u << 10)

/* Command status (the first byte of every command's output). */
enum command_status {
	COMMAND_OK = 0x0,
	COMMAND_INTERNAL_ERROR = 0x1,
	COMMAND_BAD_OP = 0x2,
	COMMAND_BAD_PARAM = 0x3,
	COMMAND_BAD_SYS_STATE = 0x4,
	COMMAND_BAD_RESOURCE = 0x5,
	COMMAND_RESOURCE_BUSY = 0x6,
	COMMAND_EXCEED_LIMIT = 0x8,
	COMMAND_BAD_RES_STATE = 0x9,
	COMMAND_BAD_INDEX = 0xa,
	COMMAND_NO_RESOURCES = 0xf,
	COMMAND_BAD_INPUT_LEN = 0x50,
	COMMAND_BAD_OUTPUT_LEN = 0x51,
	COMMAND_BAD_PKT = 0x30,
	COMMAND_BAD_SIZE = 0x40,
};

/* Completion syndromes, as the provider's CQE decoder knows them. */
enum cqe_syndrome {
	SYNDROME_NONE = 0,
	SYNDROME_LOCAL_LENGTH = 0x01,
	SYNDROME_LOCAL_QP_OP = 0x02,
	SYNDROME_LOCAL_PROT = 0x04,
	SYNDROME_WR_FLUSH = 0x05,
	SYNDROME_MW_BIND = 0x06,
	SYNDROME_BAD_RESPONSE = 0x10,
	SYNDROME_LOCAL_ACCESS = 0x11,
	SYNDROME_REMOTE_INVALID_REQUEST = 0x12,
	SYNDROME_REMOTE_ACCESS = 0x13,
	SYNDROME_REMOTE_OP = 0x14,
	SYNDROME_TRANSPORT_RETRY = 0x15,
	SYNDROME_RNR_RETRY = 0x16,
	SYNDROME_REMOTE_ABORTED = 0x22,
};

struct mlx5_device;
struct mlx5_cq;
struct mlx5_eq;
struct mlx5_mkey;
struct mlx5_qp;
struct mlx5_srq;

/* ---- queue_buffer.c: a queue's memory, given as a list of pages ----------------------------- */

struct queue_buffer {
	u64 *pages; /* bus addresses */
	u32 page_count;
	u32 page_shift;
	u64 start; /* byte offset of the queue in the first page */
};

/* pas: big-endian list as in the command. False when out of memory or empty. */
bool queue_buffer_init(struct queue_buffer *buffer, const void *pas, u32 count, u32 page_shift,
		       u64 start);
void queue_buffer_destroy(struct queue_buffer *buffer);
/* 0 or -EFAULT (beyond the pages, or not mapped). */
int queue_buffer_read(struct mlx5_device *dev, const struct queue_buffer *buffer, u64 offset,
		      void *data, size_t len);
/* The last `tail` bytes become visible after all others, in one store. */
int queue_buffer_publish(struct mlx5_device *dev, const struct queue_buffer *buffer, u64 offset,
			 const void *data, size_t len, size_t tail);

/* ---- device.c ------------------------------------------------------------------------------- */

struct mlx5_counters {
	u64 *commands, *commands_failed, *doorbells, *umrs, *umrs_failed, *cqes, *eqes, *interrupts;
	u64 *page_faults, *page_faults_resumed, *page_faults_failed;
	u64 *bytes_read, *bytes_written; /* payload moved through memory keys */
	u64 *wqes, *packets, *rnr_naks, *remote_access_errors, *local_protection_errors;
	u64 *flushed, *stale_keys; /* enabled keys found mapping a window that went away */
};

struct mlx5_device {
	struct pci_device *pci;
	struct dma_space *dma;
	struct counters *counters;
	struct mlx5_counters count;
	struct knobs *knobs;
	FILE *log;
	u16 lid;
	struct fabric_port *port;
	bool transport_faults; /* ODP scheme reported: transport instead of memory */

	struct id_table *uars, *pds, *xrcds, *transport_domains, *eqs, *cqs, *mkeys, *srqs, *qps;
	struct id_table *counter_sets, *multicast, *others;

	u64 translation_octowords; /* of all memory keys together */
	struct hca *hca;		    /* hca.h: capabilities, port, state of the function */
	struct command_interface *commands; /* command.c */
	struct page_faults *faults;	    /* page_fault.c */
	struct device_memory *memory;	    /* device_memory.c */
	struct qp_scheduler *scheduler;	    /* scheduler.c */
	u64 generation;			    /* goes up at every reset: parked work of an older
					     * one is dropped */
	u8 cqe_version; /* as told in the capabilities; 1: completions carry user indices */
};

#define mlx5_log(dev, ...) model_log((dev)->log, "mlx5", __VA_ARGS__)
/* All objects gone, as after FLR or TEARDOWN_HCA; DMA maps stay. */
void mlx5_device_reset(struct mlx5_device *dev);

/* ---- port.c ---------------------------------------------------------------------------------- */

/* The device with that LID, NULL if there is none or it cannot be reached. */
struct mlx5_device *port_reach(const struct mlx5_device *dev, u16 lid);
/* The same whatever the links are like. */
struct mlx5_device *port_lookup(const struct mlx5_device *dev, u16 lid);

/* ---- command.c: a command handler gets whole mailboxes -------------------------------------- */

struct command {
	u16 opcode, op_mod, uid;
	const u8 *in;
	u32 in_len;
	u8 *out; /* zeroed; bytes 0..7 (status, syndrome) are written by the caller */
	u32 out_len;
};

typedef enum command_status (*command_handler)(struct mlx5_device *dev, struct command *cmd);

struct command_entry {
	u16 opcode;
	const char *name;
	u32 min_in, min_out; /* shorter ones end in BAD_INPUT_LEN / BAD_OUTPUT_LEN */
	command_handler handler;
};

/* Each subject offers its table; command.c joins them. Terminated by a NULL handler. */
extern const struct command_entry device_commands[];	/* device_commands.c, caps.c, port.c */
extern const struct command_entry event_queue_commands[];
extern const struct command_entry completion_queue_commands[];
extern const struct command_entry memory_key_commands[];
extern const struct command_entry device_memory_commands[];
extern const struct command_entry page_fault_commands[];
extern const struct command_entry qp_commands[];	/* data path side */
extern const struct command_entry srq_commands[];	/* data path side */

/* ---- event_queue.c -------------------------------------------------------------------------- */

enum event_type {
	EVENT_COMPLETION = 0x00,
	EVENT_PATH_MIGRATED = 0x01,
	EVENT_COMM_ESTABLISHED = 0x02,
	EVENT_SQ_DRAINED = 0x03,
	EVENT_CQ_ERROR = 0x04,
	EVENT_QP_FATAL = 0x05,
	EVENT_PORT_CHANGE = 0x09,
	EVENT_COMMAND = 0x0a,
	EVENT_PAGE_FAULT = 0x0c,
	EVENT_QP_REQUEST_ERROR = 0x10,
	EVENT_QP_ACCESS_ERROR = 0x11,
	EVENT_SRQ_FATAL = 0x12,
	EVENT_LAST_WQE = 0x13,
	EVENT_SRQ_LIMIT = 0x14,
};

/* data: up to 28 bytes that go to offset 32 of the EQE. To every EQ that subscribed to the type. */
void event_post(struct mlx5_device *dev, u8 type, u8 subtype, const void *data, size_t len);
/* To one EQ by number (completions). */
void event_post_to(struct mlx5_device *dev, u32 eqn, u8 type, u8 subtype, const void *data,
		   size_t len);
/* QP and SRQ affiliated events: fills the qp_srq EQE layout (type: 0 QP, else RQ/SRQ as needed). */
void event_post_qp(struct mlx5_device *dev, u8 type, u32 qpn, u8 queue_type);
void event_post_srq(struct mlx5_device *dev, u8 type, u32 srqn);

/* ---- completion_queue.c --------------------------------------------------------------------- */

struct mlx5_cq *cq_find(struct mlx5_device *dev, u32 cqn);
/* How many queues name the CQ; DESTROY_CQ of a CQ in use is RESOURCE_BUSY. */
void cq_get(struct mlx5_cq *cq);
void cq_put(struct mlx5_cq *cq);
/*
 * cqe: 64 bytes with everything but the owner bit of byte 63 (opcode in bits 7:4). Overflow puts
 * the CQ into error and posts EVENT_CQ_ERROR. solicited: counts for a CQ armed for solicited only
 * (error CQEs always do).
 */
void cq_post(struct mlx5_device *dev, struct mlx5_cq *cq, u8 cqe[64], bool solicited);
void cq_doorbell(struct mlx5_device *dev, u32 command_and_index, u32 cqn);

/* ---- memory_key.c --------------------------------------------------------------------------- */

enum access_kind {
	ACCESS_LOCAL_READ,
	ACCESS_LOCAL_WRITE,
	ACCESS_REMOTE_READ,
	ACCESS_REMOTE_WRITE,
	ACCESS_REMOTE_ATOMIC,
};

enum access_result {
	ACCESS_OK,
	ACCESS_DENIED,	  /* key, bounds, rights, PD, window's QP */
	ACCESS_NOT_PRESENT, /* a page fault is needed; `fault` is filled */
	ACCESS_BUS_ERROR, /* translation present, but the IOVA is not mapped */
};

struct access {
	u32 key;
	u64 va;
	u64 length;
	enum access_kind kind;
	u32 pd;
	u32 qpn; /* for type 2 windows and remote checks; 0: not checked */
};

struct access_fault {
	u32 mkey; /* the key whose translation is missing (a window's or KLM's underlying key) */
	u64 va;
	u64 length; /* bytes from va that the operation still needs */
	bool write;
	struct access origin; /* what was asked for when it was found missing */
};

/* Checks key, rights, bounds and PD only. */
enum access_result memory_key_check(struct mlx5_device *dev, const struct access *access);
/*
 * Moves access->length bytes (at most QP_SLICE_BYTES): buf -> memory for a write, memory -> buf
 * for a read. Nothing is moved unless all of it is allowed and present.
 */
enum access_result memory_key_access(struct mlx5_device *dev, const struct access *access,
				     void *buf, struct access_fault *fault);
/* Whether that access would still miss the same translation. */
bool memory_key_still_missing(struct mlx5_device *dev, const struct access_fault *fault);
/*
 * 8-byte (or 4..32, power of two) atomic on host memory. result gets the old value, host layout as
 * in memory. Fetch-add and compare-swap with masks; operands in memory byte order.
 */
enum atomic_op { ATOMIC_FETCH_ADD, ATOMIC_COMPARE_SWAP };
enum access_result memory_key_atomic(struct mlx5_device *dev, const struct access *access,
				     enum atomic_op op, u64 swap_or_add, u64 compare, u64 *old,
				     struct access_fault *fault);

/*
 * SEND with invalidate arrived: the key (window of type 2 or fast registration) becomes free. False
 * if it may not be invalidated from this PD and QP.
 */
bool memory_key_invalidate(struct mlx5_device *dev, u32 key, u32 pd, u32 qpn);

/* ---- umr.c: UMR work requests and what local-invalidate and bind become --------------------- */

/*
 * wqe: the whole WQE (control segment first). qp_pd and qpn are those of the posting QP;
 * privileged: kernel UMR QP (a user QP may only change keys of its own PD that allow it).
 * Returns SYNDROME_NONE or the completion's syndrome. NOT_PRESENT data is reported by *fault.
 */
enum cqe_syndrome umr_execute(struct mlx5_device *dev, const u8 *wqe, size_t len, u32 qp_pd,
			      u32 qpn, bool privileged);

/* ---- page_fault.c: memory and transport scheme ---------------------------------------------- */

enum fault_side { FAULT_REQUESTER, FAULT_RESPONDER };

/*
 * Parks side `side` of the QP until the host resumes it: qp_fault_resumed() is called later, also
 * with error. wqe_index: of the send (requester) or receive (responder) WQE; r_key, rdma_va and
 * rdma_len for an RDMA responder fault, r_key 0 when a receive WQE's scatter entry faulted.
 */
struct fault_report {
	enum fault_side side;
	struct access_fault access;
	u16 wqe_index;
	bool srq;
	u32 wq_number; /* of the QP, or of the SRQ if srq */
	u32 r_key;
	u64 rdma_va;
	u32 rdma_len, packet_len;
};

void page_fault_raise(struct mlx5_device *dev, struct mlx5_qp *qp, u32 qpn,
		      const struct fault_report *report);
/* The QP goes away or is reset: its outstanding faults no longer resume anything. */
void page_fault_forget(struct mlx5_device *dev, u32 qpn);

/* ---- qp.c and the data path ----------------------------------------------------------------- */

struct mlx5_qp *qp_find(struct mlx5_device *dev, u32 qpn);
/* For the id tables of QPs, SRQs and multicast members (numbers of QPs start at 0x40 or later). */
void qp_destroy(void *object);
void srq_destroy(void *object);
void multicast_destroy(void *object);
/* The host answered a fault of this QP. */
void qp_fault_resumed(struct mlx5_device *dev, struct mlx5_qp *qp, enum fault_side side,
		      bool error);
/* A doorbell of the send queue; the receive and SRQ counters are read from doorbell records. */
void qp_send_doorbell(struct mlx5_device *dev, u32 qpn, const u8 *data, unsigned int size);

/* ---- scheduler.c: QPs with work, round robin, timers (RNR, retry) --------------------------- */

struct qp_scheduler *scheduler_new(struct mlx5_device *dev);
void scheduler_free(struct qp_scheduler *scheduler);
void scheduler_clear(struct qp_scheduler *scheduler);
/* One slice for one ready QP; true while more is ready. This is the device's work(). */
bool scheduler_run_slice(struct qp_scheduler *scheduler);
/* A knob's held or delayed operation may go on. Called from the control socket and timers. */
void data_path_release(struct mlx5_device *dev, const char *operation, u64 ticket);

#endif
