// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Symbols of the two other drivers that irdma stands on. Their devices do not exist here. */
#include <linux/module.h>
#include <linux/net/intel/i40e_client.h>
#include <linux/net/intel/iidc_rdma.h>
#include <linux/net/intel/iidc_rdma_idpf.h>

void i40e_client_device_register(struct i40e_info *ldev, struct i40e_client *client)
{
}
EXPORT_SYMBOL_GPL(i40e_client_device_register);

void i40e_client_device_unregister(struct i40e_info *ldev)
{
}
EXPORT_SYMBOL_GPL(i40e_client_device_unregister);

int idpf_idc_rdma_vc_send_sync(struct iidc_rdma_core_dev_info *info, u8 *send, u16 size,
			       u8 *receive, u16 *receive_size)
{
	return -ENODEV;
}
EXPORT_SYMBOL_GPL(idpf_idc_rdma_vc_send_sync);

int idpf_idc_request_reset(struct iidc_rdma_core_dev_info *info, enum iidc_rdma_reset_type type)
{
	return -ENODEV;
}
EXPORT_SYMBOL_GPL(idpf_idc_request_reset);

/* Not in the headers of a kernel without the series. */
void idpf_idc_stop_and_reset(struct iidc_rdma_core_dev_info *info);

void idpf_idc_stop_and_reset(struct iidc_rdma_core_dev_info *info)
{
}
EXPORT_SYMBOL_GPL(idpf_idc_stop_and_reset);

int idpf_idc_vport_dev_ctrl(struct iidc_rdma_core_dev_info *info, bool up)
{
	return -ENODEV;
}
EXPORT_SYMBOL_GPL(idpf_idc_vport_dev_ctrl);
