// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What irdma needs of ice, without ice: binds the emulated function, makes its network device and the
 * auxiliary device "ice.roce", and resets the function when irdma asks for it.
 */
#include <linux/auxiliary_bus.h>
#include <linux/bitmap.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/pci.h>
/* These lean on the ones above. */
#include <linux/net/intel/iidc_rdma.h>
#include <linux/net/intel/iidc_rdma_ice.h>

#include "admin.h"

#define STAND_IN_MAX_VECTORS 64
#define STAND_IN_VPORT 3
#define STAND_IN_SPEED SPEED_100000
#define STAND_IN_MAX_MTU 9000
/* The port's MAC address: low 32 bits, high 16. */
#define PRTGL_SAL 0x001e2120
#define PRTGL_SAH 0x001e2140

/* The auxiliary device outlives what made it as long as somebody holds it. */
struct stand_in_roce {
	struct iidc_rdma_core_auxiliary_dev core;
	struct iidc_rdma_core_dev_info info;
	struct iidc_rdma_priv_dev_info priv;
	struct stand_in *stand_in;
};

struct stand_in {
	struct pci_dev *pdev;
	struct net_device *netdev;
	void __iomem *registers;
	struct stand_in_roce *roce; /* NULL while it is unplugged */
	struct admin_queue admin;
	struct work_struct reset;
	struct mutex lock; /* protects vectors */
	int vectors;
	DECLARE_BITMAP(used, STAND_IN_MAX_VECTORS);
};

static struct stand_in *stand_in_of(struct iidc_rdma_core_dev_info *info)
{
	return container_of(info, struct stand_in_roce, info)->stand_in;
}

int ice_add_rdma_qset(struct iidc_rdma_core_dev_info *info, struct iidc_rdma_qset_params *qset)
{
	qset->teid = qset->qs_handle;
	return admin_queue_send(&stand_in_of(info)->admin, ADMIN_ADD_RDMA_QSET);
}
EXPORT_SYMBOL_GPL(ice_add_rdma_qset);

int ice_del_rdma_qset(struct iidc_rdma_core_dev_info *info, struct iidc_rdma_qset_params *qset)
{
	return admin_queue_send(&stand_in_of(info)->admin, ADMIN_DELETE_RDMA_QSET);
}
EXPORT_SYMBOL_GPL(ice_del_rdma_qset);

int ice_rdma_update_vsi_filter(struct iidc_rdma_core_dev_info *info, u16 vsi, bool enable)
{
	return admin_queue_send(&stand_in_of(info)->admin, ADMIN_UPDATE_VSI);
}
EXPORT_SYMBOL_GPL(ice_rdma_update_vsi_filter);

int ice_rdma_request_reset(struct iidc_rdma_core_dev_info *info, enum iidc_rdma_reset_type type)
{
	schedule_work(&stand_in_of(info)->reset);
	return 0;
}
EXPORT_SYMBOL_GPL(ice_rdma_request_reset);

/* Not in the headers of a kernel without the series. */
void ice_rdma_stop_and_reset(struct iidc_rdma_core_dev_info *info);

void ice_rdma_stop_and_reset(struct iidc_rdma_core_dev_info *info)
{
	struct stand_in *stand_in = stand_in_of(info);

	/* First, or a command is sent that cannot be answered. */
	admin_queue_stop(&stand_in->admin);
	pci_clear_master(stand_in->pdev);
	schedule_work(&stand_in->reset);
}
EXPORT_SYMBOL_GPL(ice_rdma_stop_and_reset);

int ice_alloc_rdma_qvector(struct iidc_rdma_core_dev_info *info, struct msix_entry *entry)
{
	struct stand_in *stand_in = stand_in_of(info);
	int vector;

	mutex_lock(&stand_in->lock);
	vector = find_first_zero_bit(stand_in->used, stand_in->vectors);
	if (vector < stand_in->vectors)
		set_bit(vector, stand_in->used);
	mutex_unlock(&stand_in->lock);
	if (vector == stand_in->vectors)
		return -ENOSPC;
	entry->entry = vector;
	entry->vector = pci_irq_vector(stand_in->pdev, vector);
	return 0;
}
EXPORT_SYMBOL_GPL(ice_alloc_rdma_qvector);

void ice_free_rdma_qvector(struct iidc_rdma_core_dev_info *info, struct msix_entry *entry)
{
	struct stand_in *stand_in = stand_in_of(info);

	mutex_lock(&stand_in->lock);
	clear_bit(entry->entry, stand_in->used);
	mutex_unlock(&stand_in->lock);
}
EXPORT_SYMBOL_GPL(ice_free_rdma_qvector);

/* There is no wire: RDMA stays inside the function, everything else is lost. */
static netdev_tx_t stand_in_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	netdev->stats.tx_dropped++;
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops stand_in_netdev_ops = {
	.ndo_start_xmit = stand_in_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static int stand_in_link_settings(struct net_device *netdev, struct ethtool_link_ksettings *settings)
{
	settings->base.speed = STAND_IN_SPEED;
	settings->base.duplex = DUPLEX_FULL;
	settings->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

static const struct ethtool_ops stand_in_ethtool_ops = {
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = stand_in_link_settings,
};

static void stand_in_release(struct device *dev)
{
	kfree(container_of(dev, struct stand_in_roce, core.adev.dev));
}

static void stand_in_fill(struct stand_in *stand_in, struct stand_in_roce *roce)
{
	struct iidc_rdma_qos_params *qos = &roce->priv.qos_info;

	roce->stand_in = stand_in;
	roce->core.cdev_info = &roce->info;
	roce->info.pdev = stand_in->pdev;
	roce->info.adev = &roce->core.adev;
	roce->info.rdma_protocol = IIDC_RDMA_PROTOCOL_ROCEV2;
	roce->info.iidc_priv = &roce->priv;
	roce->priv.vport_id = STAND_IN_VPORT;
	roce->priv.netdev = stand_in->netdev;
	roce->priv.hw_addr = stand_in->registers;
	qos->num_tc = 1;
	qos->vport_relative_bw = 100;
	qos->tc_info[0].rel_bw = 100;
	roce->core.adev.name = "roce";
	roce->core.adev.id = pci_dev_id(stand_in->pdev);
	roce->core.adev.dev.parent = &stand_in->pdev->dev;
	roce->core.adev.dev.release = stand_in_release;
}

static int stand_in_plug(struct stand_in *stand_in)
{
	struct stand_in_roce *roce = kzalloc(sizeof(*roce), GFP_KERNEL);
	int err;

	if (!roce)
		return -ENOMEM;
	stand_in_fill(stand_in, roce);
	err = auxiliary_device_init(&roce->core.adev);
	if (err) {
		kfree(roce);
		return err;
	}
	err = __auxiliary_device_add(&roce->core.adev, "ice");
	if (err) {
		auxiliary_device_uninit(&roce->core.adev);
		return err;
	}
	stand_in->roce = roce;
	return 0;
}

static void stand_in_unplug(struct stand_in *stand_in)
{
	struct stand_in_roce *roce = stand_in->roce;

	if (!roce)
		return;
	stand_in->roce = NULL;
	auxiliary_device_delete(&roce->core.adev);
	auxiliary_device_uninit(&roce->core.adev);
}

/* As ice does it: RDMA goes away, the function is reset, RDMA comes back. */
static void stand_in_reset(struct work_struct *work)
{
	struct stand_in *stand_in = container_of(work, struct stand_in, reset);
	struct pci_dev *pdev = stand_in->pdev;
	int err;

	if (!stand_in->roce)
		return;
	stand_in_unplug(stand_in);
	admin_queue_send(&stand_in->admin, ADMIN_QUEUE_SHUTDOWN);
	/* Whoever unbinds the driver holds the lock, and waits for this work. */
	err = pci_try_reset_function(pdev);
	if (err) {
		pci_err(pdev, "cannot reset the function: %d; RDMA stays away\n", err);
		return;
	}
	pci_set_master(pdev);
	err = admin_queue_start(&stand_in->admin);
	if (!err)
		err = stand_in_plug(stand_in);
	if (err)
		pci_err(pdev, "cannot add the RDMA device after a reset: %d\n", err);
	else
		pci_info(pdev, "the function was reset for RDMA\n");
}

static int stand_in_add_netdev(struct stand_in *stand_in)
{
	u32 low = readl(stand_in->registers + PRTGL_SAL);
	u32 high = readl(stand_in->registers + PRTGL_SAH);
	u8 mac[ETH_ALEN] = {low, low >> 8, low >> 16, low >> 24, high, high >> 8};
	struct net_device *netdev = alloc_etherdev(0);
	int err;

	if (!netdev)
		return -ENOMEM;
	SET_NETDEV_DEV(netdev, &stand_in->pdev->dev);
	netdev->netdev_ops = &stand_in_netdev_ops;
	netdev->ethtool_ops = &stand_in_ethtool_ops;
	netdev->max_mtu = STAND_IN_MAX_MTU;
	eth_hw_addr_set(netdev, mac);
	strscpy(netdev->name, "roce%d", IFNAMSIZ);
	err = register_netdev(netdev);
	if (err) {
		free_netdev(netdev);
		return err;
	}
	stand_in->netdev = netdev;
	return 0;
}

static int stand_in_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct stand_in *stand_in;
	int err;

	stand_in = devm_kzalloc(&pdev->dev, sizeof(*stand_in), GFP_KERNEL);
	if (!stand_in)
		return -ENOMEM;
	stand_in->pdev = pdev;
	mutex_init(&stand_in->lock);
	INIT_WORK(&stand_in->reset, stand_in_reset);
	pci_set_drvdata(pdev, stand_in);

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	stand_in->registers = pcim_iomap(pdev, 0, 0);
	if (!stand_in->registers)
		return -ENOMEM;
	pci_set_master(pdev);
	err = admin_queue_init(&stand_in->admin, pdev, stand_in->registers);
	if (!err)
		err = admin_queue_start(&stand_in->admin);
	if (err)
		goto clear_master;
	err = pci_alloc_irq_vectors(pdev, 2, STAND_IN_MAX_VECTORS, PCI_IRQ_MSIX);
	if (err < 0)
		goto clear_master;
	stand_in->vectors = err;
	err = stand_in_add_netdev(stand_in);
	if (err)
		goto free_vectors;
	err = stand_in_plug(stand_in);
	if (err)
		goto remove_netdev;
	return 0;

remove_netdev:
	unregister_netdev(stand_in->netdev);
	free_netdev(stand_in->netdev);
free_vectors:
	pci_free_irq_vectors(pdev);
clear_master:
	pci_clear_master(pdev);
	return err;
}

static void stand_in_remove(struct pci_dev *pdev)
{
	struct stand_in *stand_in = pci_get_drvdata(pdev);

	cancel_work_sync(&stand_in->reset);
	stand_in_unplug(stand_in);
	/* Asked for while irdma was let go: there is nobody any more who could use it. */
	cancel_work_sync(&stand_in->reset);
	unregister_netdev(stand_in->netdev);
	free_netdev(stand_in->netdev);
	pci_free_irq_vectors(pdev);
	pci_clear_master(pdev);
}

static const struct pci_device_id stand_in_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x1592) },
	{}
};
MODULE_DEVICE_TABLE(pci, stand_in_ids);

static struct pci_driver stand_in_driver = {
	.name = "ice_stand_in",
	.id_table = stand_in_ids,
	.probe = stand_in_probe,
	.remove = stand_in_remove,
};
module_pci_driver(stand_in_driver);

MODULE_DESCRIPTION("In place of ice, for irdma on an emulated function");
MODULE_LICENSE("Dual MIT/GPL");
