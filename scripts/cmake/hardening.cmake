# What makes a defect of memory harder to exploit. Sets `muster_hardening_options`, for the compiler, and links programs
# so that they can be loaded anywhere. Off, nothing of it is asked for: then the compiler's own defaults hold.
set(hardened ON)
if(MUSTER_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(hardened OFF)  # sanitizers do it better, and fortified functions need optimisation
endif()
option(MUSTER_HARDENING "Build with the usual hardening flags" ${hardened})

include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

set(muster_hardening_options "")
if(MUSTER_HARDENING)
    foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard)
        string(MAKE_C_IDENTIFIER "MUSTER_HAS${flag}" known)
        check_cxx_compiler_flag(${flag} ${known})
        if(${known})
            list(APPEND muster_hardening_options ${flag})
        endif()
    endforeach()

    # Level 3 where the C library has it: on others its headers warn.
    set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
    check_cxx_source_compiles("#include <cstring>\nint main() {}" MUSTER_HAS_FORTIFY_3)
    unset(CMAKE_REQUIRED_FLAGS)
    set(level 2)
    if(MUSTER_HAS_FORTIFY_3)
        set(level 3)
    endif()
    list(APPEND muster_hardening_options -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level})

    list(APPEND muster_hardening_options -D_GLIBCXX_ASSERTIONS)

    add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
