# Run by ctest: install, configure, build, run. Any step that fails ends it.
function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(prefix ${WORK_DIR}/prefix)
file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})

set(flags "")
if(SANITIZE)
    set(flags -DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE})
endif()
run(python3 -B ${OUTSIDE_DIR}/../readme_programs.py ${WORK_DIR}/readme
    ${SOURCE_DIR}/README.md ${SOURCE_DIR}/node/USING.md)
run(${CMAKE_COMMAND} -S ${OUTSIDE_DIR} -B ${WORK_DIR}/build -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${CXX} -DREADME_PROGRAMS=${WORK_DIR}/readme ${flags})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/headers)
run(${WORK_DIR}/build/worker_and_node)
# An example, as it is installed.
run(${CMAKE_COMMAND} -S ${prefix}/${DOCDIR}/examples -B ${WORK_DIR}/examples -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${CXX} ${flags})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/examples --target worker_pool)
# The same without CMake, as a Makefile would.
execute_process(COMMAND ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${prefix}/${LIBDIR}/pkgconfig
    pkg-config --cflags --libs muster
    OUTPUT_VARIABLE pkg_flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY COMMAND_ECHO STDOUT)
separate_arguments(pkg_flags UNIX_COMMAND "${pkg_flags}")
if(SANITIZE)
    list(APPEND pkg_flags -fsanitize=${SANITIZE})
endif()
run(${CXX} -std=c++20 -o ${WORK_DIR}/by_pkg_config ${OUTSIDE_DIR}/worker_and_node.cpp ${pkg_flags})
run(${WORK_DIR}/by_pkg_config)

execute_process(COMMAND python3 -B ${UNIT_TEST} ${prefix} COMMAND_ECHO STDOUT RESULT_VARIABLE unit)
if(NOT unit EQUAL 0 AND NOT unit EQUAL 77)
    message(FATAL_ERROR "the systemd unit is not sound")
endif()
foreach(program musterd muster)
    run(${prefix}/bin/${program} --help)
endforeach()
