# plant_mutants(LISTED COPIES [OUTPUT...]): generate.py's copies of the sources that the mutants.toml LISTED names, in
# the current binary folder; their paths go into the variable COPIES. OUTPUT: what else it writes there and is used.
function(plant_mutants listed copies)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${listed})
    file(STRINGS ${listed} sources REGEX "^file = ")
    list(TRANSFORM sources REPLACE "^file = \"(.*)\"$" "\\1")
    list(REMOVE_DUPLICATES sources)
    list(TRANSFORM sources PREPEND ${CMAKE_CURRENT_BINARY_DIR}/ OUTPUT_VARIABLE planted)
    list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/)

    # The copies stand in for whole members of libraries.
    set(folders proto cluster node node/keys node/daemon)
    list(TRANSFORM folders PREPEND ${PROJECT_SOURCE_DIR}/)
    set_source_files_properties(${sources} DIRECTORY ${folders} ${CMAKE_CURRENT_SOURCE_DIR}
        PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

    set(generate ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/generate.py)
    add_custom_command(
        OUTPUT ${planted} ${ARGN}
        COMMAND ${Python3_EXECUTABLE} -B ${generate} ${listed} ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}
        DEPENDS ${generate} ${listed} ${sources}
        COMMENT "Planting mistakes into copies of sources"
        VERBATIM)
    set(${copies} ${planted} PARENT_SCOPE)
endfunction()
