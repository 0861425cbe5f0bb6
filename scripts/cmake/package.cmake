# The packages of `cpack -G DEB`: muster (programs, manual, completion, service), libmuster-dev (headers, static
# libraries, files for CMake and pkg-config) and python3-muster. scripts/package builds and tests them.
set(MUSTER_MAINTAINER "muster maintainers <maintainers@muster.example>" CACHE STRING
    "Maintainer in the packages' control files; set it to your name if you distribute packages")
set(debian ${PROJECT_SOURCE_DIR}/scripts/debian)
set(muster_components muster dev python)
set(muster_packages muster libmuster-dev python3-muster)

string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)  # SOURCE_DATE_EPOCH, where it is set
file(WRITE ${PROJECT_BINARY_DIR}/changelog "muster (${PROJECT_VERSION}) unstable; urgency=medium

  * See /usr/share/doc/muster/CHANGELOG.md.

 -- ${MUSTER_MAINTAINER}  ${now}
")

# Only below a DESTDIR, where a package is put together: what an operator wrote in /etc is dpkg's to keep.
function(install_in_package component file folder name)
    install(CODE "
        if(CMAKE_INSTALL_PREFIX STREQUAL /usr AND NOT \"\$ENV{DESTDIR}\" STREQUAL \"\")
            file(INSTALL \"${file}\" DESTINATION ${folder} RENAME ${name})
        endif()" COMPONENT ${component})
endfunction()
install_in_package(muster ${PROJECT_SOURCE_DIR}/node/daemon/musterd.toml /etc/muster musterd.toml)
foreach(component package IN ZIP_LISTS muster_components muster_packages)
    install_in_package(${component} ${debian}/copyright /usr/share/doc/${package} copyright)
    install_in_package(${component} ${PROJECT_BINARY_DIR}/changelog /usr/share/doc/${package} changelog)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT ${MUSTER_MAINTAINER})
set(CPACK_SET_DESTDIR ON)  # the service's file names the programs by the prefix, which must be the real one
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/compress.cmake)
set(CPACK_COMPONENTS_ALL ${muster_components})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each component's description begins with its own
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)

set(CPACK_DEBIAN_MUSTER_PACKAGE_NAME muster)
set(CPACK_COMPONENT_MUSTER_DESCRIPTION "cluster-wide tracker groups: daemon and command line
Services on many hosts join groups at any node of a cluster. A store and a
feature name a group. Every node knows every member, and one call notifies all
members of a group.

This package has the daemon musterd, its service, and the command line muster.")
set(CPACK_DEBIAN_MUSTER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_MUSTER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_MUSTER_PACKAGE_DEPENDS "passwd")
set(CPACK_DEBIAN_MUSTER_PACKAGE_CONTROL_EXTRA
    ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libmuster-dev)
set(CPACK_COMPONENT_DEV_DESCRIPTION "cluster-wide tracker groups: library for C++
Headers and static libraries to write a worker, or a program with a node of
the cluster inside, in C++20. Has files for CMake and pkg-config.")
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libzmq3-dev, cppzmq-dev, libsodium-dev, pkg-config")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "cmake, g++, nlohmann-json3-dev")  # to build the examples

set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-muster)
set(CPACK_COMPONENT_PYTHON_DESCRIPTION "cluster-wide tracker groups: library for Python
A worker in Python, with threads or asyncio. It joins and leaves groups, looks
up and watches their members, and notifies them.")
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS
    "python3 (>= 3.11), python3-zmq (>= 24), python3-msgpack (>= 1.0), python3-xxhash (>= 3)")
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA ${debian}/python/postinst ${debian}/python/prerm)

include(CPack)
