# Everything that is fuzzed, instrumented, and a program for each target.
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)

# Of node/ only what is fuzzed: no socket, no thread.
set(client ${PROJECT_SOURCE_DIR}/node/client)
add_library(muster_fuzz_client STATIC EXCLUDE_FROM_ALL
    ${client}/address_book.cpp ${client}/calls.cpp ${client}/calls_sessions.cpp ${client}/failover.cpp
    ${client}/liveness.cpp ${client}/lives.cpp ${client}/moving.cpp ${client}/number_runs.cpp ${client}/outbox.cpp
    ${client}/positions.cpp ${client}/rejoins.cpp ${client}/replies.cpp ${client}/requests.cpp
    ${client}/restoration.cpp ${client}/roster.cpp ${client}/saved_session.cpp ${client}/session.cpp
    ${client}/state_file.cpp ${client}/stream.cpp ${client}/unclaimed.cpp ${client}/unsettled.cpp
    ${client}/watches.cpp
    ${PROJECT_SOURCE_DIR}/node/io/address.cpp ${PROJECT_SOURCE_DIR}/node/io/shortage.cpp)
target_include_directories(muster_fuzz_client PUBLIC ${client}/include PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(muster_fuzz_client PUBLIC muster_proto PRIVATE muster_options)

set(daemon ${PROJECT_SOURCE_DIR}/node/daemon)
add_library(muster_fuzz_daemon STATIC EXCLUDE_FROM_ALL
    ${daemon}/config.cpp ${daemon}/nearest.cpp ${daemon}/settings.cpp ${PROJECT_SOURCE_DIR}/node/io/address.cpp
    ${PROJECT_SOURCE_DIR}/node/io/shortage.cpp)
target_include_directories(muster_fuzz_daemon PUBLIC ${PROJECT_SOURCE_DIR}/node/include PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_definitions(muster_fuzz_daemon PRIVATE MUSTER_VERSION="${PROJECT_VERSION}")
target_link_libraries(muster_fuzz_daemon
    PUBLIC muster_proto PRIVATE muster_options CLI11::CLI11 tomlplusplus::tomlplusplus)

add_library(muster_dream STATIC EXCLUDE_FROM_ALL dream.cpp)
target_include_directories(muster_dream PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(muster_dream PUBLIC muster_proto PRIVATE muster_options)

# Deliberate mistakes, planted into copies of these sources (mutants.toml).
set(mutated_codec proto/reader.cpp)
set(mutated_core cluster/membership/peers.cpp cluster/workers/sessions.cpp)
set(mutated_session node/client/stream.cpp)
set(mutated_config node/daemon/settings.cpp)
set(mutated_json proto/reader.cpp)
set(mutated_state_file node/client/saved_session.cpp)

include(${PROJECT_SOURCE_DIR}/tests/sim/mutants/plant.cmake)
plant_mutants(${CMAKE_CURRENT_SOURCE_DIR}/mutants.toml copies)

add_custom_target(muster_fuzzers)

# muster_fuzzer(TARGET SOURCES a.cpp... LINK lib...): the programs fuzz_TARGET and fuzz_TARGET_mutants, in which the
# copies come before the libraries on the link line and so stand in for their members.
function(muster_fuzzer target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
    add_library(fuzz_${target}_body OBJECT EXCLUDE_FROM_ALL ${arg_SOURCES})
    target_include_directories(fuzz_${target}_body PRIVATE ${PROJECT_SOURCE_DIR})
    target_include_directories(fuzz_${target}_body SYSTEM PRIVATE
        $<TARGET_PROPERTY:nlohmann_json::nlohmann_json,INTERFACE_INCLUDE_DIRECTORIES>)
    target_link_libraries(fuzz_${target}_body PRIVATE ${arg_LINK} muster_dream muster_options)

    list(TRANSFORM mutated_${target} PREPEND ${CMAKE_CURRENT_BINARY_DIR}/)
    add_executable(fuzz_${target} EXCLUDE_FROM_ALL)
    add_executable(fuzz_${target}_mutants EXCLUDE_FROM_ALL mutant_switch.cpp ${mutated_${target}})
    foreach(program fuzz_${target} fuzz_${target}_mutants)
        target_sources(${program} PRIVATE $<TARGET_OBJECTS:fuzz_${target}_body>)
        target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR})
        target_link_libraries(${program} PRIVATE ${arg_LINK} muster_dream muster_options)
        target_link_options(${program} PRIVATE -fsanitize=fuzzer)
        add_dependencies(muster_fuzzers ${program})
    endforeach()
endfunction()

muster_fuzzer(codec SOURCES codec.cpp)
muster_fuzzer(core
    SOURCES core.cpp ${PROJECT_SOURCE_DIR}/tests/unit/cluster/net.cpp ${PROJECT_SOURCE_DIR}/tests/sim/notary.cpp
    LINK muster_cluster muster_json)
muster_fuzzer(session SOURCES session.cpp LINK muster_fuzz_client)
muster_fuzzer(config SOURCES config.cpp LINK muster_fuzz_daemon -Wl,--wrap=getaddrinfo)
muster_fuzzer(json SOURCES json.cpp LINK muster_json)
muster_fuzzer(state_file SOURCES state_file.cpp LINK muster_fuzz_client)
