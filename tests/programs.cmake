# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The test programs, all of which want cmocka.
find_package(Threads REQUIRED)

add_library(test_fixture STATIC
	lab/held_faults.c
	lab/held_umr.c
	lab/knob.c
	lab/lab_control.c
	lab/patience.c
	lab/witness.c
	verbs/common/fixture.c
	verbs/common/departure.c
	verbs/common/device_memory.c
	verbs/common/dmabuf_cq.c
	verbs/common/driver.c
	verbs/common/failing_allocation.c
	verbs/common/hooked_function.c
	verbs/common/kernel_log.c
	verbs/common/leftovers.c
	verbs/common/meanwhile.c
	verbs/common/pending_fence.c
	verbs/common/plain_dmabuf.c
	verbs/common/process.c
	verbs/common/race.c
	verbs/common/rdma_tool.c
	verbs/common/rounds.c
	verbs/common/text_file.c
	verbs/common/trigger.c
	verbs/common/writer.c
)
target_include_directories(test_fixture PUBLIC kernel/function-hook lab verbs/common)
# meanwhile.c is an importer by iommufd, too.
target_include_directories(test_fixture PRIVATE vfio)
target_link_libraries(test_fixture PUBLIC vfio_verbs PkgConfig::CMOCKA Threads::Threads)

function(add_test_program folder name)
	add_executable(test_${folder}_${name} ${folder}/${name}.c)
	target_link_libraries(test_${folder}_${name} PRIVATE test_fixture)
	set_target_properties(test_${folder}_${name} PROPERTIES
		OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${folder}
		C_STANDARD 11 C_EXTENSIONS ON)
endfunction()

foreach(name
		canary
		device_memory
		failed_allocation
		failed_dma_mapping
		fault_and_reset
		hot_reset
		irdma_dies
		irdma_late_work
		kill
		late_umr
		late_user_memory
		mr_state
		multicast
		multi_range
		odp_statistics
		pending_fence
		race_dereg
		race_fault
		race_invalidation
		race_nic_loss
		race_register
		register_errors
		register_race
		release_in_error
		request_in_progress
		reset_refused
		revoked_for_good
		revoke_local
		revoke_remote
		revoke_request
		sharing
		shown_while_reregistered
		switch_reset
		teardown
		triggers
		unbind_exporter
		unbind_nic
)
	add_test_program(verbs ${name})
endforeach()

target_include_directories(test_verbs_failed_allocation PRIVATE vfio)
target_include_directories(test_verbs_fault_and_reset PRIVATE vfio)

pkg_check_modules(MLX5 IMPORTED_TARGET libmlx5)
pkg_check_modules(EFA IMPORTED_TARGET libefa)
if(EFA_FOUND)
	add_test_program(verbs efa_refused)
	target_sources(test_verbs_efa_refused PRIVATE verbs/common/srd.c)
	target_link_libraries(test_verbs_efa_refused PRIVATE PkgConfig::EFA)
	foreach(name canary_two_hosts two_hosts two_hosts_srd remote_writer)
		add_test_program(verbs ${name})
		target_sources(test_verbs_${name} PRIVATE verbs/common/remote.c verbs/common/srd.c)
		if(NOT name STREQUAL remote_writer)
			target_sources(test_verbs_${name} PRIVATE verbs/common/two_hosts.c)
		endif()
		target_link_libraries(test_verbs_${name} PRIVATE PkgConfig::EFA)
	endforeach()
	add_test_program(levels level_matrix)
	target_sources(test_levels_level_matrix PRIVATE levels/expectations.c levels/importer.c
		levels/moving.c levels/rdma_driver.c levels/story.c verbs/common/srd.c)
	target_include_directories(test_levels_level_matrix PRIVATE kernel/moving-exporter)
	target_link_libraries(test_levels_level_matrix PRIVATE PkgConfig::EFA)
else()
	message(STATUS "level_matrix, efa_refused and the tests of two hosts are not built: libefa is missing (libibverbs-dev)")
endif()
if(MLX5_FOUND)
	add_test_program(verbs unsupported_importer)
	target_link_libraries(test_verbs_unsupported_importer PRIVATE PkgConfig::MLX5)
else()
	message(STATUS "unsupported_importer is not built: libmlx5 is missing (libibverbs-dev)")
endif()

foreach(name page_size revoked_before_pin)
	add_test_program(levels ${name})
	target_sources(test_levels_${name} PRIVATE levels/moving.c)
	target_include_directories(test_levels_${name} PRIVATE kernel/moving-exporter)
endforeach()
add_test_program(levels unpinned_importer)
target_sources(test_levels_unpinned_importer PRIVATE levels/moving.c)
target_include_directories(test_levels_unpinned_importer PRIVATE kernel/moving-exporter kernel/plain-importer)

foreach(name
		born_revoked
		export_errors
		iommufd_import
		memory_attribute
		mmap
		name_alone
		no_descriptor_left
		no_export
		restored_dma
		revoke_paths
		revoke_request
		unrevoke_cost
)
	add_test_program(vfio ${name})
endforeach()

target_sources(test_vfio_restored_dma PRIVATE vfio/dma_device.c)

add_test_program(stress dmabuf_stress)
target_include_directories(test_stress_dmabuf_stress PRIVATE vfio)

foreach(name rounds patience)
	add_test_program(unit test_${name})
	add_test(NAME tests-${name} COMMAND test_unit_test_${name})
	set_tests_properties(tests-${name} PROPERTIES LABELS host)
endforeach()
