# What `cmake --install` puts in place: headers, static libraries, programs with their manual pages and completions, and
# the files for find_package(muster), which gives muster::client and muster::node, and for pkg-config.
include(CMakePackageConfigHelpers)
set(muster_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/muster)

set(muster_libraries "")
foreach(library proto json cluster keys node client)
    if(TARGET muster_${library})
        list(APPEND muster_libraries muster_${library})
    endif()
endforeach()
install(TARGETS ${muster_libraries} EXPORT musterTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(EXPORT musterTargets NAMESPACE muster:: DESTINATION ${muster_config_dir} COMPONENT dev)

foreach(program musterd muster)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endforeach()

set(muster_headers proto/include/ node/client/include/)
if(MUSTER_NODE)
    list(APPEND muster_headers node/include/)
endif()
install(DIRECTORY ${muster_headers}
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.hpp")
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    # Beside the programs, also under a prefix: only a package puts units where systemd looks for them.
    set(unit ${PROJECT_BINARY_DIR}/musterd.service)
    install(CODE "
        set(CMAKE_INSTALL_FULL_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
        set(CMAKE_INSTALL_FULL_DOCDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\")
        configure_file(\"${PROJECT_SOURCE_DIR}/scripts/systemd/musterd.service.in\" \"${unit}\" @ONLY)")
    install(FILES ${unit} DESTINATION lib/systemd/system)
    install(FILES scripts/systemd/muster.sysusers DESTINATION lib/sysusers.d RENAME muster.conf)
endif()
install(FILES LICENSE CHANGELOG.md README.md SECURITY.md proto/PROTOCOL.md node/OPERATING.md node/USING.md
    node/COMING_FROM.md node/daemon/musterd.toml DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES scripts/deploy/grafana-dashboard.json scripts/deploy/prometheus-alerts.yaml
    DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY node/examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)
install(FILES scripts/man/muster.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES scripts/man/musterd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES scripts/completion/muster scripts/completion/musterd
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)

configure_package_config_file(
    ${CMAKE_CURRENT_LIST_DIR}/musterConfig.cmake.in ${PROJECT_BINARY_DIR}/musterConfig.cmake
    INSTALL_DESTINATION ${muster_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/musterConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/musterConfig.cmake ${PROJECT_BINARY_DIR}/musterConfigVersion.cmake
    DESTINATION ${muster_config_dir} COMPONENT dev)

# From the file itself, so that the prefix may be moved.
file(RELATIVE_PATH muster_pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" muster_pc_up "${muster_pc_up}")
# In the order of linking, users first.
set(muster_pc_libs "")
foreach(library client node keys cluster json proto)
    if(TARGET muster_${library})
        string(APPEND muster_pc_libs " -lmuster_${library}")
    endif()
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/muster.pc.in ${PROJECT_BINARY_DIR}/muster.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/muster.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
