# The compilers: ccache in front of them where it is, and CUDA's where there is one.

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header needs these relaxations for ccache to cache what includes it.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

# The CUDA compiler, if there is one: for the kernels of src/kernels/cuda.
set(CMAKE_CUDA_STANDARD 17)  # CMake 3.25 knows no newer one of nvcc
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 90)
endif()
include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  enable_language(CUDA)
  find_package(CUDAToolkit QUIET)
  # For the CMake files of a CUDA LibTorch, which otherwise look for a GPU.
  set(CUDA_TOOLKIT_ROOT_DIR ${CUDAToolkit_TARGET_DIR} CACHE PATH "")
  set(TORCH_CUDA_ARCH_LIST "8.0;9.0" CACHE STRING "")
  # A CUDA wheel of PyTorch brings its libraries beside it; the compiler alone may come without.
  find_library(CUDA_nvrtc_LIBRARY nvrtc HINTS ${CUDAToolkit_LIBRARY_DIR})
  foreach(prefix ${CMAKE_PREFIX_PATH} $ENV{CMAKE_PREFIX_PATH})
    file(GLOB wheel_nvrtc ${prefix}/../../../nvidia/*/lib/libnvrtc.so.[0-9]*)
    if(NOT CUDA_nvrtc_LIBRARY AND wheel_nvrtc)
      list(GET wheel_nvrtc 0 wheel_nvrtc)
      set(CUDA_nvrtc_LIBRARY ${wheel_nvrtc} CACHE FILEPATH "" FORCE)
    endif()
  endforeach()
endif()
