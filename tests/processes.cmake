# Tests with real processes bind ports. Where each can have a network namespace of its own (as root), ctest runs as many
# of them at a time as its -j allows. Elsewhere they run one at a time, like the tests that measure time or memory.
execute_process(COMMAND unshare --net true RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
set(muster_processes_serial FALSE)
if(NOT failed EQUAL 0)
    message(STATUS "Tests with real processes run one at a time: network namespaces cannot be made (they need root)")
    set(muster_processes_serial TRUE)
endif()
set(muster_apart ${CMAKE_CURRENT_LIST_DIR}/integration/apart.sh)
cmake_host_system_information(RESULT muster_processors QUERY NUMBER_OF_LOGICAL_CORES)

# muster_process_tests(TARGET TIMEOUT SECONDS [PREFIX PREFIX] [EXCEPT PATTERN...] [ALONE PATTERN...]
#     [ENVIRONMENT NAME=VALUE...]): the tests of a GoogleTest program except those that match EXCEPT. Those that match
# ALONE, all where it is *, always have the machine for themselves.
function(muster_process_tests target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;PREFIX" "EXCEPT;ALONE;ENVIRONMENT")
    set_target_properties(${target} PROPERTIES CROSSCOMPILING_EMULATOR ${muster_apart})
    set(common DISCOVERY_TIMEOUT 60)
    if(arg_PREFIX)
        list(APPEND common TEST_PREFIX ${arg_PREFIX})
    endif()
    set(properties LABELS integration TIMEOUT ${arg_TIMEOUT})
    if(arg_ENVIRONMENT)
        list(APPEND properties ENVIRONMENT ${arg_ENVIRONMENT})
    endif()
    list(JOIN arg_ALONE ":" alone)
    if(NOT alone STREQUAL "*")
        set(left_out ${arg_EXCEPT} ${arg_ALONE})
        list(JOIN left_out ":" left_out)
        gtest_discover_tests(${target} ${common} TEST_LIST ${target}_${arg_PREFIX}tests TEST_FILTER "*-${left_out}"
            PROPERTIES ${properties} RUN_SERIAL ${muster_processes_serial})
    endif()
    if(alone)
        list(JOIN arg_EXCEPT ":" left_out)
        gtest_discover_tests(${target} ${common} TEST_LIST ${target}_${arg_PREFIX}alone
            TEST_FILTER "${alone}-${left_out}" PROPERTIES ${properties} RUN_SERIAL TRUE)
    endif()
endfunction()

# muster_process_test(NAME NAME COMMAND COMMAND...): the same for a test that is any other program.
function(muster_process_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "COMMAND")
    add_test(NAME ${arg_NAME} COMMAND ${muster_apart} ${arg_COMMAND})
    set_tests_properties(${arg_NAME} PROPERTIES LABELS integration RUN_SERIAL ${muster_processes_serial})
endfunction()
