# `cmake --install`: a folder that can be moved to machines where neither this checkout nor LibTorch is,
# and `cpack`: the same as an archive, and as a Debian package. Three components:
#   program      the program, LibTorch beside it (lib/mobileone), configurations, documentation
#   libraries    what else it is linked with but for the C and C++ runtime; the Debian package depends
#                on the packages that hold it instead
#   development  headers, one static library a folder, and a package for find_package(mobileone),
#                whose target is mobileone::mobileone
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME program)
set(MOBILEONE_PRIVATE_DIR ${CMAKE_INSTALL_LIBDIR}/mobileone)
set(MOBILEONE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/mobileone)

# RPATH, since RUNPATH would not serve what the libraries are linked with.
file(RELATIVE_PATH to_private ${CMAKE_INSTALL_FULL_BINDIR}
     ${CMAKE_INSTALL_PREFIX}/${MOBILEONE_PRIVATE_DIR})
set_target_properties(mobileone_program PROPERTIES INSTALL_RPATH "$ORIGIN/${to_private}")
target_link_options(mobileone_program PRIVATE LINKER:--disable-new-dtags)
install(TARGETS mobileone_program RUNTIME_DEPENDENCY_SET mobileone_libraries)
string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" torch_pattern "${MOBILEONE_TORCH_FOLDER}/")
set(runtime_of_cpp "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv|stdc\\+\\+|gcc_s)\\.so")
install(RUNTIME_DEPENDENCY_SET mobileone_libraries
  PRE_EXCLUDE_REGEXES ${runtime_of_cpp}
  POST_INCLUDE_REGEXES "^${torch_pattern}" POST_EXCLUDE_REGEXES "."
  DIRECTORIES ${MOBILEONE_TORCH_FOLDER} DESTINATION ${MOBILEONE_PRIVATE_DIR})
install(RUNTIME_DEPENDENCY_SET mobileone_libraries
  PRE_EXCLUDE_REGEXES ${runtime_of_cpp}
  POST_EXCLUDE_REGEXES "^${torch_pattern}"
  DIRECTORIES ${MOBILEONE_TORCH_FOLDER} DESTINATION ${MOBILEONE_PRIVATE_DIR} COMPONENT libraries)

install(FILES ${PROJECT_SOURCE_DIR}/share/imagenet_classes.txt
        DESTINATION ${CMAKE_INSTALL_DATADIR}/mobileone)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/mobileone)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
configure_file(${PROJECT_SOURCE_DIR}/share/mobileone.1.in mobileone.1 @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mobileone.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(CODE "execute_process(
  COMMAND \"$<TARGET_FILE:mobileone_program>\" completion bash COMMAND_ERROR_IS_FATAL ANY
  OUTPUT_FILE \"${PROJECT_BINARY_DIR}/mobileone.bash\")")
install(FILES ${PROJECT_BINARY_DIR}/mobileone.bash RENAME mobileone
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)

# Licences of what is compiled in, and of what lies beside the program.
file(GLOB torch_licences ${MOBILEONE_TORCH_FOLDER}/../../torch-*.dist-info/licenses/)
if(torch_licences)
  install(DIRECTORY ${torch_licences}/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/licences/libtorch)
endif()
foreach(component program libraries)
  install(CODE "
    cmake_policy(SET CMP0054 NEW)
    set(component ${component})
    set(libraries \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${MOBILEONE_PRIVATE_DIR}\")
    set(licences \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}/licences\")
    include(${PROJECT_SOURCE_DIR}/cmake/CollectLicences.cmake)" COMPONENT ${component})
endforeach()

# What other programs build on.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT development)
install(TARGETS mobileone mobileone_flags EXPORT mobileoneTargets COMPONENT development)
install(EXPORT mobileoneTargets NAMESPACE mobileone:: DESTINATION ${MOBILEONE_PACKAGE_DIR}
        COMPONENT development)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/mobileoneConfig.cmake.in ${PROJECT_BINARY_DIR}/mobileoneConfig.cmake
  INSTALL_DESTINATION ${MOBILEONE_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mobileoneConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mobileoneConfig.cmake
              ${PROJECT_BINARY_DIR}/mobileoneConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/third_party/Dependencies.cmake
              ${PROJECT_SOURCE_DIR}/third_party/FindOpenCV.cmake
              ${PROJECT_SOURCE_DIR}/third_party/FindWebP.cmake
        DESTINATION ${MOBILEONE_PACKAGE_DIR} COMPONENT development)

set(CPACK_GENERATOR TGZ DEB)
set(CPACK_PACKAGE_VENDOR "The mobileone developers")
set(CPACK_PACKAGE_CONTACT ${CPACK_PACKAGE_VENDOR})
set(CPACK_PACKAGE_FILE_NAME mobileone-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_COMPONENT_INCLUDE_TOPLEVEL_DIRECTORY ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${MOBILEONE_TORCH_FOLDER})
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/cmake/PackageComponents.cmake)
include(CPack)

# `cmake --build build --target api`: pages of all public headers. A name that they refer to in vain is
# an error.
find_program(MOBILEONE_DOXYGEN doxygen)
if(MOBILEONE_DOXYGEN)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/Doxyfile.in Doxyfile @ONLY)
  add_custom_target(api COMMAND ${MOBILEONE_DOXYGEN} ${PROJECT_BINARY_DIR}/Doxyfile)
endif()
