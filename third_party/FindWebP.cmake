# libwebp and its reader of containers, which have CMake files in few distributions.
# Defines the target WebP::WebP and WebP_FOUND.
include(FindPackageHandleStandardArgs)

find_path(WebP_INCLUDE_DIR webp/demux.h)
find_library(WebP_LIBRARY webp)
find_library(WebP_DEMUX_LIBRARY webpdemux)
find_package_handle_standard_args(WebP
  REQUIRED_VARS WebP_LIBRARY WebP_DEMUX_LIBRARY WebP_INCLUDE_DIR)
if(WebP_FOUND AND NOT TARGET WebP::WebP)
  add_library(WebP::WebP INTERFACE IMPORTED)
  set_target_properties(WebP::WebP PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES ${WebP_INCLUDE_DIR}
    INTERFACE_LINK_LIBRARIES "${WebP_DEMUX_LIBRARY};${WebP_LIBRARY}")
endif()
mark_as_advanced(WebP_INCLUDE_DIR WebP_LIBRARY WebP_DEMUX_LIBRARY)
