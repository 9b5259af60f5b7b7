# llhttp as the target llhttp::llhttp: the library where there is one (Debian 13: libllhttp-dev), else its C sources
# compiled here (Debian 12: node-llhttp). Always with LLHTTP_STRICT_MODE=1, which its header needs to see as well: in
# loose mode it takes bytes that a server behind us may read in another way.
find_path(LLHTTP_LIBRARY_INCLUDE llhttp.h)
find_library(LLHTTP_LIBRARY llhttp)
find_path(LLHTTP_SOURCE_INCLUDE llhttp/llhttp.h PATHS /usr/share/include)
find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
mark_as_advanced(LLHTTP_LIBRARY_INCLUDE LLHTTP_LIBRARY LLHTTP_SOURCE_INCLUDE LLHTTP_SOURCES)

include(FindPackageHandleStandardArgs)
if(LLHTTP_LIBRARY AND LLHTTP_LIBRARY_INCLUDE)
  find_package_handle_standard_args(llhttp REQUIRED_VARS LLHTTP_LIBRARY LLHTTP_LIBRARY_INCLUDE)
else()
  find_package_handle_standard_args(
    llhttp
    REQUIRED_VARS LLHTTP_SOURCES LLHTTP_SOURCE_INCLUDE
    REASON_FAILURE_MESSAGE "install node-llhttp (Debian 12) or libllhttp-dev (Debian 13)")
endif()

if(llhttp_FOUND AND NOT TARGET llhttp::llhttp)
  if(LLHTTP_LIBRARY AND LLHTTP_LIBRARY_INCLUDE)
    add_library(llhttp::llhttp UNKNOWN IMPORTED)
    set_target_properties(
      llhttp::llhttp
      PROPERTIES IMPORTED_LOCATION "${LLHTTP_LIBRARY}"
                 INTERFACE_INCLUDE_DIRECTORIES "${LLHTTP_LIBRARY_INCLUDE}"
                 INTERFACE_COMPILE_DEFINITIONS LLHTTP_STRICT_MODE=1)
  else()
    add_library(llhttp_from_sources STATIC "${LLHTTP_SOURCES}/llhttp.c" "${LLHTTP_SOURCES}/api.c"
                                           "${LLHTTP_SOURCES}/http.c")
    target_include_directories(llhttp_from_sources PRIVATE "${LLHTTP_SOURCE_INCLUDE}/llhttp")
    target_include_directories(llhttp_from_sources SYSTEM INTERFACE "${LLHTTP_SOURCE_INCLUDE}")
    target_compile_definitions(llhttp_from_sources PUBLIC LLHTTP_STRICT_MODE=1)
    # The sanitizers are for our code; a state machine of gotos takes minutes to compile under them.
    target_compile_options(llhttp_from_sources PRIVATE -w -O2 -fno-sanitize=all)
    add_library(llhttp::llhttp ALIAS llhttp_from_sources)
  endif()
endif()
