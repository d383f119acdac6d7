# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What the folders here have in common: unit tests, fuzz targets, and the parts of a device model.

# CTest runs the command as test NAME, and `run test unit` runs those with this label.
function(nic_add_test name)
	add_test(NAME ${name} COMMAND ${ARGN})
	set_tests_properties(${name} PROPERTIES LABELS host TIMEOUT 120)
endfunction()

# A fuzz target of those SOURCES. Every build replays the inputs in FOLDER, as test NAME; with
# FUZZ=ON there is FUZZER as well, and a test with the label fuzz that lets it run a while.
function(nic_add_fuzz_target name replay fuzzer)
	cmake_parse_arguments(PARSE_ARGV 3 arg "" "FOLDER" "SOURCES;LIBRARIES")
	add_executable(${replay} ${arg_SOURCES} ${lab_nic_SOURCE_DIR}/testing/fuzz_replay.c)
	target_link_libraries(${replay} PRIVATE ${arg_LIBRARIES})
	nic_add_test(${name} ${replay} ${CMAKE_CURRENT_SOURCE_DIR}/${arg_FOLDER})
	if(FUZZ)
		add_executable(${fuzzer} ${arg_SOURCES})
		target_link_libraries(${fuzzer} PRIVATE ${arg_LIBRARIES})
		target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
		if(BUILD_TESTING)
			add_test(NAME ${fuzzer} COMMAND ${lab_nic_SOURCE_DIR}/testing/fuzz-for-a-while
				$<TARGET_FILE:${fuzzer}> ${CMAKE_CURRENT_SOURCE_DIR}/${arg_FOLDER})
			set_tests_properties(${fuzzer} PROPERTIES LABELS fuzz TIMEOUT 3600)
		endif()
	endif()
endfunction()

# Library NAME-model of SOURCES, which is everything but main(), and program nic-NAME. FOLDER of the
# kernel's TREE (KERNEL_SOURCE without one), which must have FILE, is there to be included as AS.
function(nic_add_model name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER;FILE;AS;TREE" "SOURCES")
	if(NOT arg_TREE)
		set(arg_TREE ${KERNEL_SOURCE})
	endif()
	if(NOT EXISTS ${arg_TREE}/${arg_FOLDER}/${arg_FILE})
		message(FATAL_ERROR "${arg_TREE} has no ${arg_FOLDER}/${arg_FILE}: "
			"give the top of a Linux source tree")
	endif()
	# Only that one folder of the kernel's headers: the others would hide the system's.
	set(kernel_include ${CMAKE_CURRENT_BINARY_DIR}/kernel-include)
	cmake_path(GET arg_AS PARENT_PATH parent)
	file(MAKE_DIRECTORY ${kernel_include}/${parent})
	file(CREATE_LINK ${arg_TREE}/${arg_FOLDER} ${kernel_include}/${arg_AS} SYMBOLIC)

	add_library(${name}-model STATIC ${arg_SOURCES})
	target_include_directories(${name}-model PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
	target_include_directories(${name}-model SYSTEM PUBLIC ${kernel_include})
	target_link_libraries(${name}-model PUBLIC nic-common)

	add_executable(nic-${name} main.c)
	target_link_libraries(nic-${name} PRIVATE ${name}-model)
endfunction()

# Every part against the whole model, in one process and without a guest: TESTS are tests/*_test.c,
# and fuzz/ is a hostile guest, of FUZZ_SOURCES: commands, registers, doorbells, work requests,
# unmaps and knobs in any order.
function(nic_add_model_tests name)
	if(NOT BUILD_TESTING)
		return()
	endif()
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "TESTS;FUZZ_SOURCES")
	add_library(${name}-host STATIC tests/host.c)
	target_link_libraries(${name}-host PUBLIC ${name}-model nic-testing)
	foreach(test IN LISTS arg_TESTS)
		add_executable(${name}_${test}_test tests/${test}_test.c)
		target_link_libraries(${name}_${test}_test PRIVATE ${name}-host)
		nic_add_test(${name}_${test} ${name}_${test}_test)
	endforeach()
	nic_add_fuzz_target(${name}_replay_device ${name}_replay_device ${name}_fuzz_device
		FOLDER fuzz/seeds SOURCES ${arg_FUZZ_SOURCES} LIBRARIES ${name}-host)
endfunction()
