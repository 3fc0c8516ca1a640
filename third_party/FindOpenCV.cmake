# Debian keeps OpenCV's own CMake files in libopencv-dev, which pulls in some 500 packages (VTK, Qt);
# the modules that mobileone uses are found here by their headers and libraries instead.
# Defines OpenCV_LIBS (imported targets) and OpenCV_FOUND.
include(FindPackageHandleStandardArgs)

find_path(OpenCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4)
set(OpenCV_LIBS "")
set(OpenCV_LIBRARY_VARIABLES "")
foreach(module ${OpenCV_FIND_COMPONENTS})
  find_library(OpenCV_${module}_LIBRARY opencv_${module})
  list(APPEND OpenCV_LIBRARY_VARIABLES OpenCV_${module}_LIBRARY)
  if(OpenCV_INCLUDE_DIR AND OpenCV_${module}_LIBRARY AND NOT TARGET opencv_${module})
    add_library(opencv_${module} SHARED IMPORTED)
    set_target_properties(opencv_${module} PROPERTIES
      IMPORTED_LOCATION ${OpenCV_${module}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${OpenCV_INCLUDE_DIR})
  endif()
  list(APPEND OpenCV_LIBS opencv_${module})
endforeach()
find_package_handle_standard_args(OpenCV
  REQUIRED_VARS OpenCV_INCLUDE_DIR ${OpenCV_LIBRARY_VARIABLES})
