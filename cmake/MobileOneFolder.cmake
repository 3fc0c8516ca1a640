include(GNUInstallDirs)

# One static library a folder of src/, one test program a folder of tests/. USES names the folders
# before it that it may include (docs/design.md); LINKS names third-party libraries that
# its headers show, HIDES those that only its sources see. A folder that
# sees LibTorch shares one precompiled header.

add_library(mobileone_flags INTERFACE)
target_include_directories(mobileone_flags INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(mobileone_flags INTERFACE mobileone_fmt Threads::Threads)

add_library(mobileone_warnings INTERFACE)
target_compile_options(mobileone_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
  # GCC 12 sees overflowing copies in std::string where there are none (GCC bug 105651).
  "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict;-Wno-stringop-overflow;-Wno-array-bounds>"
  $<$<BOOL:${MOBILEONE_WARNINGS_AS_ERRORS}>:-Werror>)

function(mobileone_share_torch_header target)
  get_target_property(links ${target} LINK_LIBRARIES)
  if("mobileone_torch" IN_LIST links)
    if(NOT TARGET mobileone_pch)
      file(CONFIGURE OUTPUT pch.cpp CONTENT "")
      add_library(mobileone_pch OBJECT ${CMAKE_CURRENT_BINARY_DIR}/pch.cpp)
      target_link_libraries(mobileone_pch PRIVATE mobileone_flags mobileone_warnings mobileone_torch)
      target_compile_options(mobileone_pch PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
      target_precompile_headers(mobileone_pch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/torch_pch.h)
    endif()
    target_precompile_headers(${target} REUSE_FROM mobileone_pch)
  endif()
endfunction()

# What every source instantiates of LibTorch, fmt and JSON costs more than most sources themselves:
# a dozen share it. Names in their anonymous namespaces must differ.
function(mobileone_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
endfunction()

function(mobileone_folder name)
  cmake_parse_arguments(ARG "" "" "USES;LINKS;HIDES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  list(TRANSFORM ARG_USES PREPEND mobileone_)
  add_library(mobileone_${name} STATIC ${sources})
  target_link_libraries(mobileone_${name}
    PUBLIC mobileone_flags ${ARG_USES} ${ARG_LINKS}
    PRIVATE ${ARG_HIDES} $<BUILD_INTERFACE:mobileone_warnings>)
  # Lets ccache see through the precompiled header.
  target_compile_options(mobileone_${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  set_target_properties(mobileone_${name} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS mobileone_${name} EXPORT mobileoneTargets COMPONENT development)
  mobileone_share_torch_header(mobileone_${name})
  # Highway compiles its sources several times over and needs each by itself.
  if(NOT "mobileone_highway" IN_LIST ARG_HIDES)
    mobileone_compile_together(mobileone_${name})
  endif()
endfunction()

function(mobileone_test_folder name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*.cpp)
  add_executable(${name}_tests ${sources})
  target_link_libraries(${name}_tests
    PRIVATE mobileone_${name} ${ARG_LINKS} mobileone_warnings GTest::gtest_main)
  # Position-independent as a library, so that the libraries' precompiled header fits.
  set_target_properties(${name}_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name}_tests PRIVATE -fPIC $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
    $<$<CONFIG:Release>:-O1>)  # what takes long is in the libraries
  mobileone_compile_together(${name}_tests)
  target_include_directories(${name}_tests PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name}_tests PRIVATE MOBILEONE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  mobileone_share_torch_header(${name}_tests)
  set(suites ${CMAKE_CURRENT_BINARY_DIR}/${name}_suites.cmake)
  add_custom_command(TARGET ${name}_tests POST_BUILD BYPRODUCTS ${suites} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${name}_tests> -DPREFIX=${name}
            "-DLONG=${MOBILEONE_LONG_SUITES}" -DFILE=${suites}
            -P ${PROJECT_SOURCE_DIR}/cmake/TestSuites.cmake)
  # Until then there is a test that cannot run.
  set(tests ${CMAKE_CURRENT_BINARY_DIR}/${name}_tests.cmake)
  file(CONFIGURE OUTPUT ${tests} CONTENT [[
if(EXISTS "@suites@")
  include("@suites@")
else()
  add_test(@name@_tests_NOT_BUILT @name@_tests_NOT_BUILT)
endif()
]] @ONLY)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${tests})
endfunction()
