# ONNX Runtime's C++ interface: Debian 13's libonnxruntime-dev, or the folder that OnnxRuntime_ROOT
# names. Defines the target mobileone_onnxruntime and OnnxRuntime_FOUND.
include(FindPackageHandleStandardArgs)

find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_cxx_api.h
          PATH_SUFFIXES onnxruntime onnxruntime/core/session include/onnxruntime)
find_library(OnnxRuntime_LIBRARY onnxruntime)
find_package_handle_standard_args(OnnxRuntime
  REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR)
if(OnnxRuntime_FOUND AND NOT TARGET mobileone_onnxruntime)
  add_library(mobileone_onnxruntime SHARED IMPORTED)
  set_target_properties(mobileone_onnxruntime PROPERTIES
    IMPORTED_LOCATION ${OnnxRuntime_LIBRARY}
    INTERFACE_COMPILE_DEFINITIONS MOBILEONE_ONNXRUNTIME
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${OnnxRuntime_INCLUDE_DIR})
endif()
mark_as_advanced(OnnxRuntime_INCLUDE_DIR OnnxRuntime_LIBRARY)
