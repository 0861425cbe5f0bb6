# The tests `Fuzz.*`: build the preset `fuzz`, which has another compiler and so its own folder, and run each target.
if(MUSTER_SANITIZE OR NOT PROJECT_IS_TOP_LEVEL)
    return()  # they have sanitizers of their own
endif()

find_program(MUSTER_CLANG clang++)
if(MUSTER_CLANG AND NOT DEFINED MUSTER_CLANG_HAS_FUZZER)
    set(probe ${CMAKE_CURRENT_BINARY_DIR}/probe.cpp)
    file(WRITE ${probe} "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
    execute_process(COMMAND ${MUSTER_CLANG} -fsanitize=fuzzer,address ${probe} -o ${CMAKE_CURRENT_BINARY_DIR}/probe
        RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(failed EQUAL 0)
        set(MUSTER_CLANG_HAS_FUZZER TRUE CACHE INTERNAL "")
    endif()
endif()
if(NOT MUSTER_CLANG_HAS_FUZZER)
    message(STATUS "The fuzzers are left out: clang++ with libFuzzer was not found (scripts/setup installs it)")
    return()
endif()

add_test(NAME Fuzz.Build COMMAND ${PROJECT_SOURCE_DIR}/scripts/build fuzz)
set_tests_properties(Fuzz.Build PROPERTIES LABELS fuzz FIXTURES_SETUP fuzzers TIMEOUT 1800)

set(fuzz python3 -B ${PROJECT_SOURCE_DIR}/scripts/fuzz.py ${PROJECT_SOURCE_DIR}/build/fuzz)
foreach(target ${targets})
    add_test(NAME Fuzz.${target} COMMAND ${fuzz} --target ${target} --seconds 10 --forget)
    set_tests_properties(Fuzz.${target} PROPERTIES LABELS fuzz FIXTURES_REQUIRED fuzzers TIMEOUT 300)
endforeach()
add_test(NAME Fuzz.HasTeeth COMMAND ${fuzz} --teeth)
set_tests_properties(Fuzz.HasTeeth PROPERTIES LABELS fuzz FIXTURES_REQUIRED fuzzers TIMEOUT 900)
