# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What needs no cmocka: the examples of the documentation, scripts, and CTest's list of the manifest.
# The documentation's programs stand for themselves: they take kernel headers and nothing else of the project.
function(add_example name source)
	add_executable(example_${name} ${source})
	target_compile_definitions(example_${name} PRIVATE _GNU_SOURCE)
	target_compile_options(example_${name} PRIVATE -Wall -Wextra -Werror)
	target_link_libraries(example_${name} PRIVATE kernel_headers)
	set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name}
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/examples C_STANDARD 11 C_EXTENSIONS ON)
endfunction()

# What a document has in blocks is put together first.
function(add_documented_example name document)
	set(source ${CMAKE_CURRENT_BINARY_DIR}/examples/${name}.c)
	set(extract ${PROJECT_SOURCE_DIR}/docs/examples/extract)
	file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/examples)
	add_custom_command(OUTPUT ${source} COMMAND ${extract} ${document} ${name}.c > ${source}
		DEPENDS ${document} ${extract} VERBATIM)
	add_example(${name} ${source})
endfunction()

add_example(lend ${PROJECT_SOURCE_DIR}/docs/examples/lend.c)
add_documented_example(lend_to_nic ${PROJECT_SOURCE_DIR}/docs/for-verbs-users.md)
pkg_check_modules(IBVERBS REQUIRED IMPORTED_TARGET libibverbs)
target_link_libraries(example_lend_to_nic PRIVATE PkgConfig::IBVERBS)

foreach(name budgets debug inputs pair)
	add_test(NAME tests-${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit/${name}.sh)
	set_tests_properties(tests-${name} PROPERTIES LABELS host)
endforeach()
add_test(NAME shellcheck COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/host/shellcheck.sh)
set_tests_properties(shellcheck PROPERTIES LABELS host SKIP_RETURN_CODE 4)

# The tests of a NIC and an exporter, one of CTest's for each of the manifest's.
file(STRINGS manifest lines REGEX "^[^#]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS manifest)
foreach(line IN LISTS lines)
	string(REPLACE "\t" ";" fields "${line}")
	list(GET fields 0 name)
	list(GET fields 1 where)
	list(GET fields 4 seconds)
	if(where MATCHES "^guest")
		math(EXPR limit "${seconds} + 30")
		add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/run-in-guest ${name})
		set_tests_properties(${name} PROPERTIES LABELS guest TIMEOUT ${limit} RUN_SERIAL TRUE
			ENVIRONMENT "PROGRAMS=${CMAKE_BINARY_DIR};SKIPPED_STATUS=4" SKIP_RETURN_CODE 4)
	endif()
endforeach()
