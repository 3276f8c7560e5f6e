# Builds for FreeBSD 14 or later on another system, with the compiler that cross-build installs: Zig
# ships clang, libc++, FreeBSD's headers and stubs of its libc. Programs are linked with libc++
# statically and need nothing but FreeBSD's base system.
#
#   MCASTD_FREEBSD_ARCH  x86_64 (default) or aarch64
#   MCASTD_ZIG           the compiler, if it is elsewhere

set(CMAKE_SYSTEM_NAME FreeBSD)
set(CMAKE_SYSTEM_VERSION 14.0)

# Also for the small projects by which CMake tries the compiler.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MCASTD_FREEBSD_ARCH MCASTD_ZIG)
if(NOT MCASTD_FREEBSD_ARCH)
  set(MCASTD_FREEBSD_ARCH x86_64)
endif()
set(CMAKE_SYSTEM_PROCESSOR ${MCASTD_FREEBSD_ARCH})
cmake_path(SET root NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../..)
if(NOT MCASTD_ZIG)
  file(GLOB found ${root}.cache/zig/node_modules/@zigc/linux-*/bin/zig)
  if(NOT found)
    message(FATAL_ERROR "there is no compiler for FreeBSD yet: packaging/freebsd/cross-build installs it")
  endif()
  list(GET found 0 MCASTD_ZIG)
endif()
# libc++ is built when it is first needed, and kept beside the compiler.
set(ENV{ZIG_GLOBAL_CACHE_DIR} ${root}.cache/zig/cache)
set(ENV{ZIG_LOCAL_CACHE_DIR} ${root}.cache/zig/cache)

set(CMAKE_CXX_COMPILER ${MCASTD_ZIG} c++)
set(CMAKE_CXX_COMPILER_TARGET ${MCASTD_FREEBSD_ARCH}-freebsd.${CMAKE_SYSTEM_VERSION}-none)
# Zig turns checks on that need a runtime of its own, where nothing asks for an optimized program.
set(CMAKE_CXX_FLAGS_INIT "-fno-sanitize=undefined")
set(CMAKE_AR ${MCASTD_ZIG})
set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> ar qc <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_APPEND "<CMAKE_AR> ar q <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "<CMAKE_AR> ranlib <TARGET>")

# Nothing that is found on this system fits; headers.cmake says which headers of it do.
set(CMAKE_FIND_ROOT_PATH ${CMAKE_CURRENT_LIST_DIR}/no-root)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
