# Finds what mobileone builds on, and what an installed mobileone is linked with; nothing is downloaded
# here. `scripts/setup.sh` installs all of it.

macro(mobileone_require name package)
  find_package(${name} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${name} was not found (Debian package ${package}): run scripts/setup.sh, "
                        "or name its folder in CMAKE_PREFIX_PATH.")
  endif()
endmacro()

mobileone_require(Threads libc6-dev)
mobileone_require(fmt libfmt-dev)
mobileone_require(spdlog libspdlog-dev)
mobileone_require(yaml-cpp libyaml-cpp-dev)
mobileone_require(nlohmann_json nlohmann-json3-dev)
mobileone_require(CLI11 libcli11-dev)
mobileone_require(hwy libhwy-dev)
if(MOBILEONE_BUILD_PROGRAM OR MOBILEONE_BUILD_FUZZERS)
  mobileone_require(JPEG libjpeg-dev)
  mobileone_require(PNG libpng-dev)
  mobileone_require(WebP libwebp-dev)
  mobileone_require(TIFF libtiff-dev)
  mobileone_require(GIF libgif-dev)
  mobileone_require(ZLIB zlib1g-dev)
  mobileone_require(pugixml libpugixml-dev)
  mobileone_require(OpenCV "libopencv-core-dev and libopencv-imgproc-dev" COMPONENTS core imgproc)
  set(MOBILEONE_IMAGE_LIBRARIES JPEG::JPEG PNG::PNG WebP::WebP TIFF::TIFF GIF::GIF)
endif()
# Optional: `bench latency` of ONNX files.
if(MOBILEONE_BUILD_PROGRAM)
  find_package(OnnxRuntime QUIET)
  if(NOT OnnxRuntime_FOUND)
    message(STATUS "ONNX Runtime's C++ library was not found: `bench latency` will not run ONNX")
  endif()
endif()
# Protobuf messages, without protobuf: headers only, and no CMake files.
find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_writer.hpp)
if(MOBILEONE_BUILD_PROGRAM AND NOT PROTOZERO_INCLUDE_DIR)
  message(FATAL_ERROR "protozero was not found (Debian package libprotozero-dev): run "
                      "scripts/setup.sh, or name its folder in CMAKE_PREFIX_PATH.")
endif()
add_library(mobileone_protozero INTERFACE IMPORTED)
target_include_directories(mobileone_protozero SYSTEM INTERFACE ${PROTOZERO_INCLUDE_DIR})

if(MOBILEONE_BUILD_TESTS)
  mobileone_require(GTest libgtest-dev)
endif()

# LibTorch: CMAKE_PREFIX_PATH wins; otherwise the wheel that scripts/setup.sh put into .deps.
find_package(Torch QUIET)
if(NOT Torch_FOUND)
  file(GLOB MOBILEONE_DEPS_TORCH
       ${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/torch/share/cmake)
  list(APPEND CMAKE_PREFIX_PATH ${MOBILEONE_DEPS_TORCH})
  find_package(Torch QUIET)
endif()
if(NOT Torch_FOUND)
  message(FATAL_ERROR "LibTorch was not found: run scripts/setup.sh, or pass "
                      "-DCMAKE_PREFIX_PATH=/path/to/libtorch/share/cmake.")
endif()

# Both fmt copies (Debian's, and the newer one in LibTorch's headers) are used header-only; their
# inline namespaces keep them apart, so which one a folder sees does not matter.
add_library(mobileone_fmt INTERFACE IMPORTED)
target_compile_definitions(mobileone_fmt INTERFACE FMT_HEADER_ONLY=1)

# The instruction sets that the kernels are compiled for: AVX2, AVX-512 and a portable one on
# x86-64, NEON on ARM. Older ones would only lengthen the build, and vectors of unknown length (SVE)
# cannot be kept in arrays, as the kernels do.
add_library(mobileone_highway INTERFACE IMPORTED)
target_link_libraries(mobileone_highway INTERFACE hwy::hwy)
target_compile_definitions(mobileone_highway INTERFACE
  "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4|HWY_AVX3_DL|HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128)")

# at::parallel_for is a template that runs serially unless it is compiled for OpenMP, and must find
# the very OpenMP library that LibTorch runs on: a second one would have threads of its own.
add_library(mobileone_openmp INTERFACE IMPORTED)
target_compile_options(mobileone_openmp INTERFACE -fopenmp)
get_target_property(MOBILEONE_TORCH_LIBRARY torch LOCATION)
get_filename_component(MOBILEONE_TORCH_FOLDER ${MOBILEONE_TORCH_LIBRARY} DIRECTORY)
file(GLOB MOBILEONE_TORCH_OPENMP ${MOBILEONE_TORCH_FOLDER}/libgomp*.so*
                                 ${MOBILEONE_TORCH_FOLDER}/libiomp5.so)
if(MOBILEONE_TORCH_OPENMP)
  target_link_libraries(mobileone_openmp INTERFACE ${MOBILEONE_TORCH_OPENMP})
else()
  mobileone_require(OpenMP "libgomp1, with the compiler")
  target_link_libraries(mobileone_openmp INTERFACE OpenMP::OpenMP_CXX)
endif()

add_library(mobileone_torch INTERFACE IMPORTED)
target_compile_options(mobileone_torch INTERFACE ${TORCH_CXX_FLAGS})
target_link_libraries(mobileone_torch INTERFACE ${TORCH_LIBRARIES} mobileone_openmp)
